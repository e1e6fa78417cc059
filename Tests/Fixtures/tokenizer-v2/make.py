"""Writes the tokenizers and cases of this folder with Hugging Face's `tokenizers` and `jinja2`, which know nothing of
Flotilla: `pip install tokenizers jinja2; python make.py CASES SEED`.

The vocabulary is made for the purpose: a handful of probes, of each kind a scalar, merges with whatever stands before or
behind it. So a border that is missing or too many beside a probe changes the ids. The pre-tokenizers are those of the
tokenizer.json of DeepSeek-LLM (V2, V2.5 and Coder-V2 have the same) and of the first DeepSeek-Coder.
"""
import json
import random
import sys
from pathlib import Path

import jinja2
from tokenizers import Tokenizer

HERE = Path(__file__).parent
LETTERS = [
    (0x41, 0x5A), (0x61, 0x7A), (0xB5, 0xB5), (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x1BA), (0x1BC, 0x1BF),
    (0x1C4, 0x293), (0x295, 0x2AF), (0x370, 0x373), (0x376, 0x376), (0x377, 0x377), (0x37B, 0x37D), (0x37F, 0x37F),
    (0x386, 0x386), (0x388, 0x38A), (0x38C, 0x38C), (0x38E, 0x3A1), (0x3A3, 0x3F5), (0x3F7, 0x481), (0x48A, 0x52F),
    (0x531, 0x556), (0x10A0, 0x10C5), (0x13A0, 0x13F5), (0x13F8, 0x13FD), (0x1C90, 0x1CBA), (0x1CBD, 0x1CBF),
    (0x1D00, 0x1D2B), (0x1D6B, 0x1D77), (0x1D79, 0x1D9A), (0x1E00, 0x1F15), (0x1F18, 0x1F1D), (0x1F20, 0x1F45),
    (0x1F48, 0x1F4D), (0x1F50, 0x1F57), (0x1F59, 0x1F59), (0x1F5B, 0x1F5B), (0x1F5D, 0x1F5D), (0x1F5F, 0x1F7D),
    (0x1F80, 0x1FB4), (0x1FB6, 0x1FBC), (0x1FBE, 0x1FBE), (0x1FC2, 0x1FC4), (0x1FC6, 0x1FCC), (0x1FD0, 0x1FD3),
    (0x1FD6, 0x1FDB), (0x1FE0, 0x1FEC), (0x1FF2, 0x1FF4), (0x1FF6, 0x1FFC), (0x2102, 0x2102), (0x2107, 0x2107),
    (0x210A, 0x2113), (0x2115, 0x2115), (0x2119, 0x211D), (0x2124, 0x2124), (0x2126, 0x2126), (0x2128, 0x2128),
    (0x212A, 0x212D), (0x212F, 0x2134), (0x2139, 0x2139), (0x213C, 0x213F), (0x2145, 0x2149), (0x214E, 0x214E),
    (0x2183, 0x2183), (0x2184, 0x2184), (0x2C00, 0x2C7B), (0x2C7E, 0x2CE4), (0x2CEB, 0x2CEE), (0x2CF2, 0x2CF2),
    (0x2CF3, 0x2CF3), (0xA640, 0xA66D), (0xA680, 0xA69B), (0xA722, 0xA76F), (0xA771, 0xA787), (0xA78B, 0xA78E),
    (0xAB70, 0xABBF), (0xFB00, 0xFB06), (0xFB13, 0xFB17), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A), (0x10400, 0x1044F),
    (0x104B0, 0x104D3), (0x104D8, 0x104FB), (0x10C80, 0x10CB2), (0x10CC0, 0x10CF2), (0x118A0, 0x118DF),
    (0x1E900, 0x1E943),
]
SIGNS = [(0x21, 0x2F), (0x3A, 0x7E), (0xFF01, 0xFF0F), (0xFF1A, 0xFF5E), (0x2018, 0x201F), (0x3000, 0x3002)]
EAST = [(0x4E00, 0x9FA5), (0x800, 0x4E00), (0xAC00, 0xD7FF)]


def written(ranges):
    return "".join(chr(a) if a == b else chr(a) + "-" + chr(b) for a, b in ranges)


def split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


DIGITS = {"type": "Digits", "individual_digits": True}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
STEPS = {
    "deepseek-llm": [
        split("[\r\n]"), split(r"\s?[" + written(LETTERS) + "]+"), split(r"\s?[" + written(SIGNS) + "]+"),
        split(r"\s+$"), split("[" + written(EAST) + "]+"), DIGITS, BYTES,
    ],
    "deepseek-coder": [
        split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split("[" + written(EAST) + "]+"), DIGITS, BYTES,
    ],
}
BOS, EOS = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
TEMPLATE = (
    "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{{ bos_token }}"
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\n\n' }}"
    "{% elif message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + eos_token }}"
    "{% elif message['role'] == 'system' %}{{ message['content'] + '\n\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
CHATS = [
    [("user", "Hello, how are you?")],
    [("system", "Be brief."), ("user", "1+1=?\n"), ("assistant", " 2"), ("user", "你好，世界")],
]

PROBES = list("a 1.$\n") + ["\u4e2d", "\u05d0", "\u3000"]
# Common scalars, the borders of every listed range and their neighbours, and whole blocks.
COMMON = list("aZe,.!?'\"($^<|`_-\\ 019\n\r\t")
RARE = list("\u000b\u000c\u0085\u00a0\u1680\u2000\u2003\u2009\u2028\u2029\u202f\u205f\u3000\u200b\u200d\ufeff\u0000\u001c")
OTHER = list("éñßçøåüÀÁýÿõ÷þŁƻʔαΩжЯաԱაԲᲐאבעعربीहिक०१٣४๓กขກ中文字龥龦㐀あいアイー한국어가힣퟿々〇、。「」『』…—“”‘’«»€£¥©®™²½Ⅷⅷ①፩"
             "\u0301\u0308\u20d0\u3099\u064b\u0903😀👩‍👧🇩🇪🏽𝟘𝟙𐌰𐐀𐑏𞤀𠀀")
BORDERS = sorted({c for a, b in LETTERS + SIGNS + EAST for c in (a - 1, a, b, b + 1)})
BORDERS = [chr(c) for c in BORDERS if not 0xD800 <= c <= 0xDFFF and c > 0]
BLOCKS = [(0x20, 0x7F), (0xA0, 0x250), (0x370, 0x530), (0x2000, 0x2070), (0x2100, 0x2190), (0x3000, 0x3100),
          (0x4E00, 0x4E40), (0x9F80, 0x9FB0), (0xAC00, 0xAC40), (0xD780, 0xD7C8), (0xFF00, 0xFF61)]


def text(random):
    scalars = []
    for _ in range(random.choice([1, 2, 4, 8, 16, 24])):
        kind = random.randrange(20)
        if kind < 8:
            pool = PROBES
        elif kind < 10:
            pool = COMMON
        elif kind < 12:
            pool = RARE
        elif kind < 16:
            pool = OTHER
        elif kind < 18:
            pool = BORDERS
        else:
            pool = [chr(c) for c in range(*random.choice(BLOCKS))]
        scalars += [random.choice(pool)] * random.choice([1, 1, 1, 1, 2, 3])
    return "".join(scalars)


def alphabet():
    """The scalar that byte-level vocabularies write for each byte."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {**{byte: chr(byte) for byte in plain}, **{byte: chr(256 + i) for i, byte in enumerate(others)}}


def vocabulary():
    """Merges of every probe with any byte that can follow or precede it. The bytes that UTF-8 never has are left out,
    as a vocabulary made from text leaves them."""
    letters = alphabet()
    tokens = [letters[byte] for byte in range(256) if byte not in (0xC0, 0xC1) and byte < 0xF5]
    merges = []

    def merge(left, right):
        merges.append(left + " " + right)
        if left + right not in tokens:
            tokens.append(left + right)
        return left + right

    probes = []
    for probe in PROBES:
        token, *rest = [letters[byte] for byte in probe.encode()]
        for letter in rest:
            token = merge(token, letter)
        probes.append(token)
    ascii = [letters[ord(c)] for c in COMMON if c not in PROBES]
    pairs = [(probe, y) for probe in probes for y in ascii + [letters[byte] for byte in range(0xC2, 0xF5)]]
    pairs += [(x, probe) for probe in probes for x in ascii + [letters[byte] for byte in range(0x80, 0xC0)]]
    pairs += [(left, right) for left in probes for right in probes]
    pairs = sorted(set(pairs))
    random.Random(1).shuffle(pairs)
    for left, right in pairs:
        merge(left, right)
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {token: id for id, token in enumerate(tokens)}, "merges": merges}


def main(count, seed):
    model = vocabulary()
    size = len(model["vocab"])
    added = [{"id": size + i, "content": c, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i, c in enumerate([BOS, EOS])]
    tokenizers = {}
    for name, steps in STEPS.items():
        file = {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": {"type": "Sequence", "normalizers": []},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps}, "post_processor": BYTES,
            "decoder": BYTES, "model": model,
        }
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        config = {"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": True, "add_eos_token": False,
                  "bos_token": BOS, "eos_token": EOS, "chat_template": TEMPLATE}
        (folder / "tokenizer.json").write_text(json.dumps(file, ensure_ascii=False, separators=(",", ":")))
        (folder / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n")
        tokenizers[name] = Tokenizer.from_str(json.dumps(file))
    source = random.Random(seed)
    cases = []
    for _ in range(count):
        case = {"text": text(source)}
        for name, tokenizer in tokenizers.items():
            case[name] = tokenizer.encode(case["text"], add_special_tokens=False).ids
        cases.append(case)
    chats = []
    for chat in CHATS:
        messages = [{"role": role, "content": content} for role, content in chat]
        for prompt in (True, False):
            chats.append({"messages": messages, "add_generation_prompt": prompt, "text": jinja2.Template(TEMPLATE).render(
                messages=messages, bos_token=BOS, eos_token=EOS, add_generation_prompt=prompt)})
    lines = [json.dumps(case, ensure_ascii=True, separators=(",", ":")) for case in cases]
    (HERE / "cases.json").write_text(
        '{"cases":[\n' + ",\n".join(lines) + '],\n"chats":' + json.dumps(chats, ensure_ascii=False) + "}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
