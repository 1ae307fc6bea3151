#Requires -Version 5.1
<#
.SYNOPSIS
    Installs the almenad beside this script as Windows service AlmenaD; run it as administrator.
.DESCRIPTION
    Copies the executable into a folder that only administrators can change, registers and starts the
    service, and lets other machines of private networks reach it. Run again, it upgrades. Data and
    configuration are never touched.
.PARAMETER InstallDir
    Folder of the executable.
#>
[CmdletBinding()]
param([string] $InstallDir = (Join-Path $env:ProgramFiles 'Almena'))

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$identity = [Security.Principal.WindowsPrincipal] [Security.Principal.WindowsIdentity]::GetCurrent()
if (-not $identity.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    throw 'Cannot install a service: open PowerShell with "Run as administrator" and try again'
}
$source = Join-Path $PSScriptRoot 'almenad.exe'
$target = Join-Path $InstallDir 'almenad.exe'

# The file of a running service cannot be replaced; this waits until it has stopped.
if (Get-Service -Name AlmenaD -ErrorAction SilentlyContinue) { Stop-Service -Name AlmenaD }
New-Item -ItemType Directory -Path $InstallDir -Force | Out-Null
Copy-Item -LiteralPath $source -Destination $target -Force
# Downloaded files carry a mark that can make Windows ask before it runs them.
Unblock-File -LiteralPath $target

& $target daemon install
if ($LASTEXITCODE -ne 0) { throw "Cannot install the service: almenad ended with code $LASTEXITCODE" }

# Other machines of the network find and dial this one; public networks stay closed.
& netsh advfirewall firewall delete rule name=AlmenaD | Out-Null
& netsh advfirewall firewall add rule name=AlmenaD dir=in action=allow 'profile=private,domain' "program=$target" | Out-Null
if ($LASTEXITCODE -ne 0) { Write-Warning 'The firewall was not opened: other machines may not reach this one' }
