"""AES-128 (FIPS 197) in counter mode (NIST SP 800-38A), written for checking: short, not fast, not side-channel safe."""


def double(value):
    """Times x in the field of AES."""
    return (value << 1 ^ (0x11B if value & 0x80 else 0)) & 0xFF


def make_sbox():
    box, power, inverse = [0] * 256, 1, 1
    while True:
        power ^= double(power)  # times x + 1, which generates every non-zero element
        for shift in (1, 2, 4):
            inverse ^= inverse << shift & 0xFF  # divided by x + 1
        if inverse & 0x80:
            inverse ^= 0x09
        rotated = inverse
        for turn in (1, 2, 3, 4):
            rotated ^= (inverse << turn | inverse >> 8 - turn) & 0xFF
        box[power] = rotated ^ 0x63
        if power == 1:
            box[0] = 0x63
            return box


SBOX = make_sbox()


def expand(key):
    words, constant = [list(key[at : at + 4]) for at in range(0, 16, 4)], 1
    for at in range(4, 44):
        word = words[-1]
        if at % 4 == 0:
            word = [SBOX[byte] for byte in word[1:] + word[:1]]
            word[0] ^= constant
            constant = double(constant)
        words.append([a ^ b for a, b in zip(words[-4], word)])
    return [sum(words[at : at + 4], []) for at in range(0, 44, 4)]


def mix(column):
    every = column[0] ^ column[1] ^ column[2] ^ column[3]
    return [byte ^ every ^ double(byte ^ after) for byte, after in zip(column, column[1:] + column[:1])]


def encrypt_block(round_keys, block):
    state = [a ^ b for a, b in zip(block, round_keys[0])]
    for number, key in enumerate(round_keys[1:], 1):
        state = [SBOX[state[at * 5 % 16]] for at in range(16)]  # bytes substituted, rows shifted
        if number < 10:
            state = sum((mix(state[at : at + 4]) for at in range(0, 16, 4)), [])
        state = [a ^ b for a, b in zip(state, key)]
    return bytes(state)


def ctr(key, counter, data):
    """`data` under `key`, with a 128-bit big-endian counter; its own inverse."""
    round_keys, result = expand(key), bytearray()
    for at in range(0, len(data), 16):
        pad = encrypt_block(round_keys, counter.to_bytes(16, "big"))
        result += bytes(a ^ b for a, b in zip(data[at : at + 16], pad))
        counter = (counter + 1) % (1 << 128)
    return bytes(result)
