"""Makes the reference values that test/exec/adapter/peft-parity.test.ts compares with.

Trains LoRA adapters with transformers and PEFT on tiny random models on the CPU and stores, for each case: the model and
the adapter before training as those libraries save them, the rows, the loss of every step and the adapter after training.
Run with transformers 4.38 and peft 0.10:  python test/reference/make_peft_reference.py
"""

import json
import shutil
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

STEPS = 20
BATCH_SIZE = 4
SHAPE = dict(
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=40,
    max_position_embeddings=64,
)
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
CASES = {
    "llama-r8": dict(
        model=lambda: LlamaForCausalLM(LlamaConfig(**SHAPE, rms_norm_eps=1e-5)),
        lora=dict(r=8, lora_alpha=16, target_modules=ATTENTION),
        optimizer=dict(lr=1e-2, weight_decay=0.0),
        microbatches=1,
    ),
    "qwen2-rslora-all": dict(
        model=lambda: Qwen2ForCausalLM(Qwen2Config(**SHAPE, tie_word_embeddings=True)),
        lora=dict(r=4, lora_alpha=4, use_rslora=True, target_modules=ATTENTION + ["gate_proj", "up_proj", "down_proj"]),
        optimizer=dict(lr=5e-3, weight_decay=0.1),
        microbatches=2,
    ),
}


def make_rows(count):
    """Rows of unequal length whose prompt carries no loss."""
    rows = []
    for _ in range(count):
        length = int(torch.randint(4, 12, ()))
        prompt = int(torch.randint(1, length - 1, ()))
        rows.append(dict(tokens=torch.randint(0, SHAPE["vocab_size"], (length,)).tolist(), prompt=prompt))
    return rows


def collate(rows):
    longest = max(len(row["tokens"]) for row in rows)
    tokens = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros_like(tokens)
    labels = torch.full_like(tokens, -100)
    for index, row in enumerate(rows):
        length = len(row["tokens"])
        tokens[index, :length] = torch.tensor(row["tokens"])
        mask[index, :length] = 1
        labels[index, row["prompt"]:length] = tokens[index, row["prompt"]:length]
    return dict(input_ids=tokens, attention_mask=mask, labels=labels)


def train(model, rows, microbatches, optimizer):
    """Each step's loss is the mean over the targets of the whole mini-batch, also when it is split."""
    losses = []
    for step in range(STEPS):
        batch = [rows[(step * BATCH_SIZE + index) % len(rows)] for index in range(BATCH_SIZE)]
        targets = sum(len(row["tokens"]) - row["prompt"] for row in batch)
        size = BATCH_SIZE // microbatches
        total = 0.0
        for first in range(0, BATCH_SIZE, size):
            part = batch[first:first + size]
            share = sum(len(row["tokens"]) - row["prompt"] for row in part) / targets
            loss = model(**collate(part)).loss * share
            loss.backward()
            total += loss.item()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(total)
    return losses


def make_case(folder, model, lora, optimizer, microbatches):
    torch.manual_seed(0)
    base = model()
    # The default initialisation (0.02) leaves gradients near zero; norms and biases should differ from their defaults.
    for name, parameter in base.named_parameters():
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, mean=0.0 if name.endswith("bias") else 1.0, std=0.2)
        else:
            torch.nn.init.normal_(parameter, std=0.2)
    base.save_pretrained(folder / "model")
    peft = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **lora))
    peft.save_pretrained(folder / "initial")
    rows = make_rows(2 * BATCH_SIZE)
    adamw = torch.optim.AdamW([p for p in peft.parameters() if p.requires_grad], **optimizer)
    losses = train(peft, rows, microbatches, adamw)
    peft.save_pretrained(folder / "final")
    run = dict(steps=STEPS, batchSize=BATCH_SIZE, microbatches=microbatches, learningRate=optimizer["lr"],
               weightDecay=optimizer["weight_decay"], rows=rows, losses=losses)
    (folder / "run.json").write_text(json.dumps(run, indent=1) + "\n")


def main():
    torch.set_num_threads(1)
    here = Path(__file__).parent
    for name, case in CASES.items():
        folder = here / name
        shutil.rmtree(folder, ignore_errors=True)
        make_case(folder, **case)
        for extra in folder.glob("**/README.md"):
            extra.unlink()


main()
