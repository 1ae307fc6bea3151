#Requires -Version 5.1
<#
.SYNOPSIS
    Removes the Windows service AlmenaD and its executable; run it as administrator.
.DESCRIPTION
    Data and configuration stay, except with -Purge.
.PARAMETER Purge
    Removes the service's data and configuration as well, the identity included.
.PARAMETER InstallDir
    Folder that install-service.ps1 used.
#>
[CmdletBinding()]
param(
    [switch] $Purge,
    [string] $InstallDir = (Join-Path $env:ProgramFiles 'Almena')
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$identity = [Security.Principal.WindowsPrincipal] [Security.Principal.WindowsIdentity]::GetCurrent()
if (-not $identity.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    throw 'Cannot remove a service: open PowerShell with "Run as administrator" and try again'
}
$target = Join-Path $InstallDir 'almenad.exe'

if (Get-Service -Name AlmenaD -ErrorAction SilentlyContinue) {
    Stop-Service -Name AlmenaD
    & $target daemon uninstall
    if ($LASTEXITCODE -ne 0) { throw "Cannot remove the service: almenad ended with code $LASTEXITCODE" }
}
& netsh advfirewall firewall delete rule name=AlmenaD | Out-Null
if (Test-Path -LiteralPath $target) { Remove-Item -LiteralPath $target -Force }
# Only when nothing else is in it: the folder may be one of the user's own choice.
if ((Test-Path -LiteralPath $InstallDir) -and -not (Get-ChildItem -LiteralPath $InstallDir -Force)) {
    Remove-Item -LiteralPath $InstallDir
}
# The service runs as LocalService, whose application data lies here.
$data = Join-Path $env:SystemRoot 'ServiceProfiles\LocalService\AppData\Roaming\network.almena.daemon'
if ($Purge -and (Test-Path -LiteralPath $data)) { Remove-Item -LiteralPath $data -Recurse -Force }
