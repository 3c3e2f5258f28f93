"""Make a tiny random language model in GGUF, for llama.cpp: 2 layers of 64, half a megabyte.

Run when an image is built:

python -m optiinfra_services.demo.tiny_model FILE
"""

import sys

import numpy
from gguf import GGUFWriter, TokenType

TEXT = (
    "the a to of and in is it that for on with as this are be at by an or from not which can will more than when your "
    "model server request answer token time cost memory port service host queue latency load one two first then so "
    "if about because each should may much small large fast slow free open close near"
)
WORDS = TEXT.split()
WIDTH, WIDE, LAYERS, HEADS, SEED = 64, 128, 2, 4, 7
# Bytes come after the three special tokens, words after the bytes.
BYTES = range(3, 259)


def write(path: str) -> None:
    """Write the model; the same file each time."""
    random = numpy.random.default_rng(SEED)
    tokens = [b"<unk>", b"<s>", b"</s>", *(f"<0x{byte:02X}>".encode() for byte in range(256))]
    tokens += [f"\u2581{word}".encode() for word in WORDS]
    kinds = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL] + [TokenType.BYTE] * 256
    kinds += [TokenType.NORMAL] * len(WORDS)

    def matrix(*shape: int) -> numpy.ndarray:
        return random.normal(0, 0.3, shape).astype(numpy.float32)

    model = GGUFWriter(path, "llama")
    model.add_name("tiny-random")
    model.add_context_length(131072)
    model.add_embedding_length(WIDTH)
    model.add_block_count(LAYERS)
    model.add_feed_forward_length(WIDE)
    model.add_head_count(HEADS)
    model.add_head_count_kv(HEADS)
    model.add_layer_norm_rms_eps(1e-5)
    model.add_rope_dimension_count(WIDTH // HEADS)
    model.add_vocab_size(len(tokens))
    model.add_tokenizer_model("llama")
    model.add_tokenizer_pre("default")
    model.add_token_list(tokens)
    model.add_token_scores([0.0] * 259 + [-float(number) for number in range(len(WORDS))])
    model.add_token_types(kinds)
    model.add_bos_token_id(1)
    model.add_eos_token_id(2)
    model.add_unk_token_id(0)
    model.add_chat_template("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:")
    model.add_tensor("token_embd.weight", matrix(len(tokens), WIDTH))
    model.add_tensor("output_norm.weight", numpy.ones(WIDTH, numpy.float32))
    # Only words are ever likely, bytes at random would be no text; and the end comes after some dozens of them.
    out = matrix(len(tokens), WIDTH)
    out[[0, 1, *BYTES]] = 0
    out[2] *= 0.5
    model.add_tensor("output.weight", out)
    for layer in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            model.add_tensor(f"blk.{layer}.{name}.weight", numpy.ones(WIDTH, numpy.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            model.add_tensor(f"blk.{layer}.{name}.weight", matrix(WIDTH, WIDTH))
        model.add_tensor(f"blk.{layer}.ffn_gate.weight", matrix(WIDE, WIDTH))
        model.add_tensor(f"blk.{layer}.ffn_up.weight", matrix(WIDE, WIDTH))
        model.add_tensor(f"blk.{layer}.ffn_down.weight", matrix(WIDTH, WIDE))
    model.write_header_to_file()
    model.write_kv_data_to_file()
    model.write_tensors_to_file()
    model.close()


if __name__ == "__main__":
    write(sys.argv[1])
