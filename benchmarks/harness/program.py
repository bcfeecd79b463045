"""What benchmarks need before they begin: Debian's packages and the package's programs."""

import os
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def install(packages):
    """Installs what is missing of these, given by the tool that each brings."""
    missing = [package for tool, package in packages.items() if shutil.which(tool) is None]
    if not missing:
        return
    print("installing", " ".join(missing))
    root = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run(root + ["apt-get", "update", "-qq"], check=True)
    subprocess.run(
        root + ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
        check=True, stdout=subprocess.DEVNULL)


def build(product):
    """Builds a program as it is shipped; gives its path."""
    subprocess.run([os.path.join(ROOT, "scripts", "setup")], check=True)
    command = ["swift", "build", "-c", "release", "--static-swift-stdlib", "--product", product,
               "--package-path", ROOT, "--scratch-path", os.path.join(ROOT, ".build-benchmarks")]
    subprocess.run(command, check=True)
    path = subprocess.run(command + ["--show-bin-path"], capture_output=True, text=True, check=True)
    return os.path.join(path.stdout.strip(), product)


def commit():
    """The commit that is measured."""
    version = subprocess.run(
        ["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return version.stdout.strip() or "unknown"
