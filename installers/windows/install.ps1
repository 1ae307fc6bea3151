#Requires -Version 5.1
<#
.SYNOPSIS
    Installs almenad for the current user; administrator rights are not needed.
.DESCRIPTION
    Downloads the executable and SHA256SUMS, checks one against the other, puts the executable into
    %LOCALAPPDATA%\Programs\almenad and that folder into the user's PATH. Run again, it upgrades; data
    and configuration are never touched, except by -Purge.
.PARAMETER Version
    Such as 2026.1.1; the newest release when left out.
.PARAMETER Uninstall
    Removes the executable and the PATH entry. Data and configuration stay.
.PARAMETER Purge
    The same, and removes data and configuration as well, the identity included.
.PARAMETER BaseUrl
    Where releases are; the environment's ALMENAD_DOWNLOAD_BASE_URL, or else the project's own place.
.PARAMETER InstallDir
    Folder of the executable.
.EXAMPLE
    .\install.ps1
.EXAMPLE
    .\install.ps1 -Version 2026.1.1
.EXAMPLE
    .\install.ps1 -Purge
#>
[CmdletBinding()]
param(
    [string] $Version = '',
    [switch] $Uninstall,
    [switch] $Purge,
    [string] $BaseUrl = $env:ALMENAD_DOWNLOAD_BASE_URL,
    [string] $InstallDir = (Join-Path $env:LOCALAPPDATA 'Programs\almenad')
)

function Assert-Computer {
    # A 32-bit PowerShell on a 64-bit Windows tells the truth in the second variable only.
    $processors = @($env:PROCESSOR_ARCHITEW6432, $env:PROCESSOR_ARCHITECTURE)
    if (-not ($processors -contains 'AMD64' -or $processors -contains 'ARM64')) {
        throw 'Cannot install almenad: it is made for 64-bit Windows only'
    }
}

function Get-ReleaseUrl([string] $Base, [string] $Wanted) {
    if (-not $Base) { $Base = 'https://github.com/almena-network/daemon/releases' }
    $uri = [Uri] $Base
    # The checksums come from the same place as the executable, so that place must be the right one.
    if ($uri.Scheme -ne 'https' -and -not $uri.IsLoopback) {
        throw "Cannot download from $($Base): only https is allowed"
    }
    $folder = $Base.TrimEnd('/')
    if (-not $Wanted) { return "$folder/latest/download" }
    $number = $Wanted -replace '^v', ''
    if ($number -notmatch '^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$') {
        throw "Cannot install version '$Wanted': it must read like 2026.1.1"
    }
    return "$folder/download/v$number"
}

function Save-Url([string] $Url, [string] $Path) {
    try {
        Invoke-WebRequest -UseBasicParsing -Uri $Url -OutFile $Path -TimeoutSec 600
    } catch {
        throw "Cannot download $($Url): $($_.Exception.Message)"
    }
}

function Assert-Checksum([string] $Path, [string] $Name, [string] $SumsPath) {
    $pattern = '^([0-9A-Fa-f]{64}) [ *]' + [regex]::Escape($Name) + '$'
    $found = @(Get-Content -LiteralPath $SumsPath | Where-Object { $_ -match $pattern })
    if ($found.Count -ne 1) { throw "Cannot check $($Name): SHA256SUMS does not name it once" }
    $expected = $found[0].Substring(0, 64)
    $actual = (Get-FileHash -LiteralPath $Path -Algorithm SHA256).Hash
    if ($actual -ne $expected) {
        throw "Cannot install $($Name): its checksum is $actual, but SHA256SUMS says $expected; nothing was changed"
    }
}

# A running program cannot be overwritten, but it can be renamed; the next run removes it.
function Move-IntoPlace([string] $New, [string] $Target) {
    $old = "$Target.old"
    if (Test-Path -LiteralPath $old) { Remove-Item -LiteralPath $old -Force -ErrorAction SilentlyContinue }
    if (Test-Path -LiteralPath $old) { throw "Cannot replace $($Target): the version before it still runs; stop it first" }
    $isUpgrade = Test-Path -LiteralPath $Target
    if ($isUpgrade) { Move-Item -LiteralPath $Target -Destination $old }
    try {
        Move-Item -LiteralPath $New -Destination $Target
    } catch {
        if ($isUpgrade) { Move-Item -LiteralPath $old -Destination $Target }
        throw
    }
    if ($isUpgrade) { Remove-Item -LiteralPath $old -Force -ErrorAction SilentlyContinue }
    return (Test-Path -LiteralPath $old)
}

# Read and written unexpanded: going through [Environment] would freeze %USERPROFILE% and its like.
function Set-UserPath([string] $Folder, [bool] $IsWanted) {
    $key = [Microsoft.Win32.Registry]::CurrentUser.CreateSubKey('Environment')
    try {
        $before = [string] $key.GetValue('Path', '', 'DoNotExpandEnvironmentNames')
        $entries = @($before -split ';' | Where-Object { $_ -and $_.TrimEnd('\') -ne $Folder.TrimEnd('\') })
        if ($IsWanted) { $entries += $Folder }
        $after = $entries -join ';'
        if ($after -eq $before) { return }
        $key.SetValue('Path', $after, 'ExpandString')
    } finally {
        $key.Dispose()
    }
    # Setting any variable this way tells running programs to read the environment again.
    [Environment]::SetEnvironmentVariable('ALMENAD_INSTALLER', '1', 'User')
    [Environment]::SetEnvironmentVariable('ALMENAD_INSTALLER', $null, 'User')
}

# The service runs the executable at this path, and only an administrator may take it away.
function Assert-NoService([string] $Target) {
    $service = Get-CimInstance -ClassName Win32_Service -Filter "Name='AlmenaD'" -ErrorAction SilentlyContinue
    if ($service -and "$($service.PathName)".IndexOf($Target, [StringComparison]::OrdinalIgnoreCase) -ge 0) {
        throw "Cannot remove almenad: the service AlmenaD uses it; as administrator, run `"$Target`" daemon uninstall"
    }
}

function Assert-NotRunning([string] $Target) {
    $running = @(Get-Process -Name almenad -ErrorAction SilentlyContinue | Where-Object { $_.Path -eq $Target })
    if ($running.Count -gt 0) {
        throw "Cannot remove almenad: it runs as process $($running[0].Id); stop it first"
    }
}

function Remove-Almenad([string] $Folder, [bool] $WithData) {
    $target = Join-Path $Folder 'almenad.exe'
    Assert-NoService $target
    Assert-NotRunning $target
    foreach ($path in @($target, "$target.old")) {
        if (Test-Path -LiteralPath $path) { Remove-Item -LiteralPath $path -Force }
    }
    # Only when nothing else is in it: the folder may be one of the user's own choice.
    if ((Test-Path -LiteralPath $Folder) -and -not (Get-ChildItem -LiteralPath $Folder -Force)) {
        Remove-Item -LiteralPath $Folder
    }
    Set-UserPath $Folder $false
    $data = Join-Path $env:APPDATA 'network.almena.daemon'
    if ($WithData -and (Test-Path -LiteralPath $data)) {
        Remove-Item -LiteralPath $data -Recurse -Force
        Write-Output "Removed almenad and its data in $data"
    } elseif (Test-Path -LiteralPath $data) {
        Write-Output "Removed almenad; its data stays in $data"
    } else {
        Write-Output 'Removed almenad'
    }
}

function Install-Almenad([string] $Base, [string] $Wanted, [string] $Folder) {
    Assert-Computer
    $name = 'almenad-x86_64-pc-windows-msvc.exe'
    $url = Get-ReleaseUrl $Base $Wanted
    New-Item -ItemType Directory -Path $Folder -Force | Out-Null
    # In the same folder, so that the last step is a rename.
    $new = Join-Path $Folder "download-$PID.exe"
    $sums = Join-Path $Folder "download-$PID.sums"
    try {
        Save-Url "$url/SHA256SUMS" $sums
        Save-Url "$url/$name" $new
        Assert-Checksum $new $name $sums
        $target = Join-Path $Folder 'almenad.exe'
        $isOldRunning = Move-IntoPlace $new $target
    } finally {
        Remove-Item -LiteralPath @($new, $sums) -Force -ErrorAction SilentlyContinue
    }
    Set-UserPath $Folder $true
    $shown = & $target --version
    if ($LASTEXITCODE -ne 0) { throw "Cannot run $($target): it ended with code $LASTEXITCODE" }
    Write-Output "Installed $shown in $Folder"
    if ($isOldRunning) { Write-Output 'The version before it still runs: start almenad again to use the new one' }
    Write-Output 'Open a new terminal and run: almenad'
}

# In a function, so that these settings do not stay in the session of someone who pipes this into iex.
function Invoke-Installer {
    Set-StrictMode -Version Latest
    $ErrorActionPreference = 'Stop'
    # The bar makes downloads in Windows PowerShell many times slower.
    $ProgressPreference = 'SilentlyContinue'
    # Windows PowerShell may still offer nothing newer than TLS 1.0.
    [Net.ServicePointManager]::SecurityProtocol =
        [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
    if ($Uninstall -or $Purge) {
        Remove-Almenad $InstallDir $Purge.IsPresent
    } else {
        Install-Almenad $BaseUrl $Version $InstallDir
    }
}

Invoke-Installer
