"""A writer of Riegeli/records files, uncompressed, one record a chunk; plain and slow."""

M64 = (1 << 64) - 1
BLOCK, BLOCK_HEADER, CHUNK_HEADER = 1 << 16, 24, 40
USABLE = BLOCK - BLOCK_HEADER


def _u(b, o, n):
    return int.from_bytes(b[o:o + n], "little")


_H0 = (0xDBE6D5D5FE4CCE2F, 0xA4093822299F31D0, 0x13198A2E03707344, 0x243F6A8885A308D3)
_H1 = (0x3BD39E10CB0EF593, 0xC0ACF169B5F18A8C, 0xBE5466CF34E90C6C, 0x452821E638D01377)
RIEGELI_KEY = (0x2F696C6567656952, 0x0A7364726F636572) * 2


def _r32(v):
    return (v >> 32) | ((v << 32) & M64)


def _zip(v1, v0):
    a0 = ((((v0 & 0xFF000000) | (v1 & 0xFF00000000)) >> 24)
          | (((v0 & 0xFF0000000000) | (v1 & 0xFF000000000000)) >> 16)
          | (v0 & 0xFF0000) | ((v0 & 0xFF00) << 32)
          | ((v1 & 0xFF00000000000000) >> 8) | ((v0 << 56) & M64))
    a1 = ((((v1 & 0xFF000000) | (v0 & 0xFF00000000)) >> 24)
          | (v1 & 0xFF0000) | ((v1 & 0xFF0000000000) >> 16) | ((v1 & 0xFF00) << 24)
          | ((v0 & 0xFF000000000000) >> 8) | ((v1 & 0xFF) << 48)
          | (v0 & 0xFF00000000000000))
    return a1, a0


def highwayhash64(data, key=RIEGELI_KEY):
    m0, m1 = list(_H0), list(_H1)
    v0 = [m0[i] ^ key[i] for i in range(4)]
    v1 = [m1[i] ^ _r32(key[i]) for i in range(4)]

    def update(l):
        for i in range(4):
            v1[i] = (v1[i] + m0[i] + l[i]) & M64
            m0[i] ^= (v1[i] & 0xFFFFFFFF) * (v0[i] >> 32) & M64
            v0[i] = (v0[i] + m1[i]) & M64
            m1[i] ^= (v0[i] & 0xFFFFFFFF) * (v1[i] >> 32) & M64
        for a, b in ((v0, v1), (v1, v0)):
            for j in (0, 2):
                x1, x0 = _zip(b[j + 1], b[j])
                a[j + 1] = (a[j + 1] + x1) & M64
                a[j] = (a[j] + x0) & M64

    n = len(data)
    full = n & ~31
    for o in range(0, full, 32):
        update([_u(data, o + 8 * i, 8) for i in range(4)])
    r = n & 31
    if r:
        for i in range(4):
            v0[i] = (v0[i] + (r << 32) + r) & M64
            lo, hi = v1[i] & 0xFFFFFFFF, v1[i] >> 32
            lo = ((lo << r) | (lo >> (32 - r))) & 0xFFFFFFFF
            hi = ((hi << r) | (hi >> (32 - r))) & 0xFFFFFFFF
            v1[i] = (hi << 32) | lo
        rest = data[full:]
        q, t = r & ~3, r & 3
        p = bytearray(32)
        p[:q] = rest[:q]
        if r & 16:
            p[28:32] = rest[r - 4:r]
        elif t:
            p[16], p[17], p[18] = rest[q], rest[q + (t >> 1)], rest[q + t - 1]
        update([_u(p, 8 * i, 8) for i in range(4)])
    for _ in range(4):
        update([_r32(v0[2]), _r32(v0[3]), _r32(v0[0]), _r32(v0[1])])
    return (v0[0] + v1[0] + m0[0] + m1[0]) & M64


def put_varint(n):
    n &= M64
    o = bytearray()
    while n > 127:
        o.append(n & 127 | 128)
        n >>= 7
    o.append(n)
    return bytes(o)


def chunk_end(begin, data_size, records):
    size = CHUNK_HEADER + data_size
    a = begin + size + (size + (begin + USABLE - 1) % BLOCK) // USABLE * BLOCK_HEADER
    p = begin + records
    return max(a, p + max(0, -p % BLOCK - (USABLE - 1)))


class RecordWriter:
    """Uncompressed simple chunks, one record per chunk."""

    def __init__(self, path):
        self.f, self.pos = open(path, "wb"), 0
        self._chunk(0x73, 0, b"", 0)

    def _chunk(self, typ, records, data, decoded):
        rest = (len(data).to_bytes(8, "little") + highwayhash64(data).to_bytes(8, "little") + bytes([typ])
                + records.to_bytes(7, "little") + decoded.to_bytes(8, "little"))
        payload = highwayhash64(rest).to_bytes(8, "little") + rest + data
        begin, p, i = self.pos, self.pos, 0
        end = chunk_end(begin, len(data), records)
        while p < end:
            if p % BLOCK == 0:
                x = (p - begin).to_bytes(8, "little") + (end - p).to_bytes(8, "little")
                self.f.write(highwayhash64(x).to_bytes(8, "little") + x)
                p += BLOCK_HEADER
                continue
            n = min(BLOCK - p % BLOCK, end - p)
            self.f.write(payload[i:i + n].ljust(n, b"\0"))
            i, p = i + n, p + n
        self.pos = end

    def write(self, rec):
        begin, size = self.pos, put_varint(len(rec))
        self._chunk(0x72, 1, b"\0" + put_varint(len(size)) + size + bytes(rec), len(rec))
        return begin                       # position of record 0 of this chunk

    def close(self):
        self.f.close()
