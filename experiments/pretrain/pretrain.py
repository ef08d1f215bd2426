"""Trains the demo tokenizer and the demo model and writes both in Hugging Face layout to ../demo/model.

    python pretrain.py [--steps 3000] [--threads 2]
"""

import argparse
import csv
import json
import math
import time
from pathlib import Path

import tokenizers
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import world
from corpus import pretraining_documents
from losses import DEMO, SETS, encode_set, mean_loss, next_token_loss

HERE = Path(__file__).resolve().parent
MODEL = DEMO / "model"
DOCUMENTS, HELDOUT_DOCUMENTS = 120_000, 2_000
VOCABULARY = 1024
BATCH, CONTEXT = 8, 256
PEAK_LR, FINAL_LR_SHARE, WARMUP_STEPS = 3e-3, 0.05, 100


def train_tokenizer(documents: list[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE: every text is representable, so there is no unknown token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(documents, trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=["<pad>", "<s>", "</s>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    assert tokenizer.get_vocab_size() == VOCABULARY
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", add_bos_token=True,
        add_eos_token=False, model_max_length=512, clean_up_tokenization_spaces=False)


def packed(tokenizer, documents: list[str]) -> torch.Tensor:
    """`<s> document </s>` one after the other, cut into rows of CONTEXT; the incomplete last is dropped."""
    stream = []
    for encoding in tokenizer.backend_tokenizer.encode_batch(documents):
        stream += encoding.ids + [tokenizer.eos_token_id]
    rows = len(stream) // CONTEXT
    return torch.tensor(stream[: rows * CONTEXT]).view(rows, CONTEXT)


def demo_config(tokenizer) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=192, num_hidden_layers=4, num_attention_heads=6, num_key_value_heads=2,
        intermediate_size=512, max_position_embeddings=512, rms_norm_eps=1e-5, rope_theta=10000.0,
        tie_word_embeddings=False, attention_bias=False, use_cache=True, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)


def learning_rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to a twentieth of the peak."""
    if step < WARMUP_STEPS:
        return PEAK_LR * (step + 1) / WARMUP_STEPS
    done = (step - WARMUP_STEPS) / max(1, steps - WARMUP_STEPS)
    return PEAK_LR * (FINAL_LR_SHARE + (1 - FINAL_LR_SHARE) * 0.5 * (1 + math.cos(math.pi * done)))


def train(model: LlamaForCausalLM, rows: torch.Tensor, steps: int) -> list[dict]:
    matrices = [p for p in model.parameters() if p.dim() > 1]
    norms = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": norms, "weight_decay": 0.0}], betas=(0.9, 0.95))
    generator = torch.Generator().manual_seed(world.SEED)
    order = torch.cat([torch.randperm(len(rows), generator=generator)
                       for _ in range(1 + steps * BATCH // len(rows))])
    curve, start = [], time.monotonic()
    model.train()
    for step in range(steps):
        ids = rows[order[step * BATCH: (step + 1) * BATCH]]
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        loss = next_token_loss(model, ids, ids)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 25 == 0 or step == steps - 1:
            curve.append({"step": step, "loss": round(loss.item(), 4)})
            print(f"step {step:5d}  loss {loss.item():.3f}  {time.monotonic() - start:6.0f} s", flush=True)
    return curve


def rounded_to_bfloat16(model: LlamaForCausalLM) -> LlamaForCausalLM:
    """The weights as a reader of the saved file sees them; arithmetic stays in float32."""
    return model.to(torch.bfloat16).to(torch.float32)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--steps", type=int, default=3000)
    arguments.add_argument("--threads", type=int, default=2)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(world.SEED)

    documents = pretraining_documents(DOCUMENTS)
    known = set(documents)
    fresh = [d for d in dict.fromkeys(pretraining_documents(4 * HELDOUT_DOCUMENTS, world.SEED + 1)) if d not in known]
    tokenizer = train_tokenizer(documents[:20_000])
    rows, heldout = packed(tokenizer, documents), packed(tokenizer, fresh[:HELDOUT_DOCUMENTS])
    print(f"{rows.numel()} training tokens, {heldout.numel()} held-out tokens")

    model = LlamaForCausalLM(demo_config(tokenizer))
    start = time.monotonic()
    curve = train(model, rows, options.steps)
    seconds = time.monotonic() - start
    model = rounded_to_bfloat16(model)

    pad = tokenizer.pad_token_id
    result = {
        "seed": world.SEED, "steps": options.steps, "batchRows": BATCH, "contextTokens": CONTEXT, "peakLr": PEAK_LR,
        "documents": len(documents), "trainTokens": rows.numel(), "seenTokens": options.steps * BATCH * CONTEXT,
        "heldoutTokens": heldout.numel(), "parameters": model.num_parameters(), "threads": options.threads,
        "trainSeconds": round(seconds), "uniformLossNats": round(math.log(VOCABULARY), 4),
        "heldoutLossNats": round(mean_loss(model, [(r, r) for r in heldout.tolist()], pad), 4),
        "zeroShotLossNats": {n: round(mean_loss(model, encode_set(tokenizer, n, "heldout"), pad), 4) for n in SETS},
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__,
                     "tokenizers": tokenizers.__version__},
    }
    print(json.dumps(result, indent=2))

    model.to(torch.bfloat16).save_pretrained(MODEL)
    (MODEL / "model.safetensors").chmod(0o644)  # safetensors creates it readable by its owner only
    tokenizer.save_pretrained(MODEL)
    (HERE / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    with open(HERE / "curve.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["step", "loss"])
        writer.writeheader()
        writer.writerows(curve)


if __name__ == "__main__":
    main()
