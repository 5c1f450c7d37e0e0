# SPDX-License-Identifier: Apache-2.0
"""What a result must say about the machine it was measured on."""

import os
import platform
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def read(path):
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def caches():
    """Size in bytes by level of the first processor's data and unified caches."""
    sizes = {}
    for cache in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        size = re.fullmatch(r"(\d+)([KM])", read(cache / "size"))
        if size and read(cache / "type") != "Instruction":
            sizes[int(read(cache / "level"))] = int(size[1]) << (10 if size[2] == "K" else 20)
    return sizes


def last_level_cache():
    sizes = caches()
    return sizes[max(sizes)] if sizes else 32 << 20


def available_memory():
    return int(re.search(r"MemAvailable:\s+(\d+)", read("/proc/meminfo"))[1]) * 1024


def cpus():
    """The processors this process may use."""
    return sorted(os.sched_getaffinity(0))


def commit():
    """The commit of the source tree, marked if files under version control differ from it."""
    try:
        name = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
                              capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name.stdout.strip()


def kind():
    """As machine_kind() of bench/machine.cpp: the name of the file that holds this kind of machine's results."""
    cpuinfo = read("/proc/cpuinfo")
    found = [re.search(rf"^{name}\s*:\s*(\w+)", cpuinfo, re.MULTILINE) for name in ("vendor_id", "cpu family", "model")]
    vendor, family, model = (match[1] if match else "0" for match in found)
    if (vendor, family) == ("GenuineIntel", "6") and model in ("143", "207"):
        return "sapphire-rapids" if model == "143" else "emerald-rapids"
    if (vendor, family) == ("AuthenticAMD", "25") and int(model) >> 4 in (1, 6, 7, 10):
        return "zen4"
    if (vendor, family) == ("AuthenticAMD", "26"):
        return "zen5"
    return f"{vendor if found[0] else 'unknown'}-{family}-{model}"


def describe():
    cpuinfo = read("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.*)", cpuinfo)
    numbers = [re.search(rf"{name}\s*:\s*(\d+)", cpuinfo) for name in ("cpu family", r"\nmodel\b")]
    flags = re.search(r"flags\s*:\s*(.*)", cpuinfo)
    return {
        "cpu": model[1] if model else "unknown processor",
        "family": ", ".join(f"{name} {number[1]}" for name, number in zip(("family", "model"), numbers) if number),
        "cpus": os.cpu_count(),
        "caches": {f"L{level}": size for level, size in caches().items()},
        "avx512": bool(flags) and {"avx512f", "avx512cd", "avx512dq", "avx512bw"} <= set(flags[1].split()),
        "huge_pages": read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "huge_page_defrag": read("/sys/kernel/mm/transparent_hugepage/defrag"),
        "memory": int(re.search(r"MemTotal:\s+(\d+)", read("/proc/meminfo"))[1]) * 1024,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }
