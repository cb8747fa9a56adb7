"""Prints the list of crates that cargo-auditable put into a 64-bit ELF binary, in the section .dep-v0, as
zlib's JSON.

    crates.py BINARY
"""

import struct
import sys
import zlib

with open(sys.argv[1], "rb") as file:
    elf = file.read()
assert elf[:5] == b"\x7fELF\x02", "a 64-bit ELF file"
headers, size, count, names = struct.unpack_from("<Q", elf, 40) + struct.unpack_from("<HHH", elf, 58)


def section(index):
    """The name's offset, and the content."""
    name, _, _, _, offset, length = struct.unpack_from("<IIQQQQ", elf, headers + index * size)
    return name, elf[offset : offset + length]


table = section(names)[1]
for index in range(count):
    name, content = section(index)
    if table[name:].startswith(b".dep-v0\0"):
        print(zlib.decompress(content).decode())
        break
else:
    sys.exit("the binary has no list of its crates")
