"""Makes the reference values that test/exec/adapter/peft-parity.test.ts compares with.

Trains adapters with transformers and PEFT on tiny random models on the CPU and stores, for each case: the adapter before
training as PEFT saves it, the rows, the settings, the loss of every step and the adapter after training; and each base
model once. Run with transformers 4.38 and peft 0.10; llama-vera takes peft 0.12, the first that draws its projections for
modules of unequal size:  python test/reference/make_peft_reference.py CASE ...
"""

import json
import shutil
import sys
from pathlib import Path

import peft
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, get_scheduler

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
EVERY_MODULE = ATTENTION + ["gate_proj", "up_proj", "down_proj"]
MODELS = {
    "llama-r8": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE, rms_norm_eps=1e-5)),
    "qwen2-rslora-all": lambda: Qwen2ForCausalLM(Qwen2Config(**SHAPE, tie_word_embeddings=True)),
}
ADAMW = dict(type="adamw", learningRate=1e-2, learningRateRatio=1, schedule=dict(type="constant", warmup=0),
             beta1=0.9, beta2=0.999, epsilon=1e-8, weightDecay=0)
SGD = dict(type="sgd", learningRate=0.05, learningRateRatio=1, schedule=dict(type="linear", warmup=0), momentum=0.9,
           weightDecay=0.05)
R8 = dict(r=8, lora_alpha=16, target_modules=ATTENTION)


def case(config, model="llama-r8", kind="LoraConfig", microbatches=1, **optimizer):
    return dict(model=model, kind=kind, config=config, microbatches=microbatches, optimizer={**ADAMW, **optimizer})


CASES = {
    "llama-r8": case(R8),
    "llama-r16-all": case(dict(r=16, lora_alpha=16, target_modules=EVERY_MODULE)),
    "llama-accumulation-4": case(R8, microbatches=4),
    "llama-dora": case(dict(r=4, lora_alpha=8, use_dora=True, target_modules=EVERY_MODULE), weightDecay=0.01),
    "llama-vera": case(dict(r=12, projection_prng_key=7, target_modules=EVERY_MODULE), kind="VeraConfig"),
    "llama-loraplus": case(R8, learningRate=1e-3, learningRateRatio=16, weightDecay=0.1),
    "llama-cosine-warmup": case(R8, schedule=dict(type="cosine", warmup=4)),
    "llama-sgd-linear": dict(case(R8), optimizer=SGD),
    "llama-clipped": case(R8, microbatches=2, maxGradientNorm=1.0),
    "llama-sgd-clipped": dict(case(R8), optimizer={**SGD, "maxGradientNorm": 2.0}),
    "qwen2-rslora-all": case(dict(r=4, lora_alpha=4, use_rslora=True, target_modules=EVERY_MODULE),
                             model="qwen2-rslora-all", microbatches=2, learningRate=5e-3, weightDecay=0.1),
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


def train(model, rows, microbatches, optimizer, schedule, max_norm):
    """Each step's loss is the mean over the targets of the whole mini-batch, also when it is split."""
    losses, norms = [], []
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
        if max_norm is not None:
            norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm).item())
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(total)
    return dict(losses=losses, **(dict(gradientNorms=norms) if norms else {}))


def make_optimizer(model, settings):
    """Groups of parameters as PEFT's create_loraplus_optimizer makes them."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    rate, ratio = settings["learningRate"], settings["learningRateRatio"]
    groups = [
        dict(params=[p for name, p in trained if "lora_A" in name], lr=rate),
        dict(params=[p for name, p in trained if "lora_A" not in name], lr=rate * ratio),
    ]
    groups = [group for group in groups if group["params"]]
    if settings["type"] == "sgd":
        return torch.optim.SGD(groups, momentum=settings["momentum"], weight_decay=settings["weightDecay"])
    return torch.optim.AdamW(groups, betas=(settings["beta1"], settings["beta2"]), eps=settings["epsilon"],
                             weight_decay=settings["weightDecay"])


def make_schedule(optimizer, settings):
    names = dict(constant="constant_with_warmup", linear="linear", cosine="cosine")
    return get_scheduler(names[settings["type"]], optimizer, num_warmup_steps=settings["warmup"],
                         num_training_steps=STEPS)


def make_model(name):
    torch.manual_seed(0)
    base = MODELS[name]()
    # The default initialisation (0.02) leaves gradients near zero; norms and biases should differ from their defaults.
    for name, parameter in base.named_parameters():
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, mean=0.0 if name.endswith("bias") else 1.0, std=0.2)
        else:
            torch.nn.init.normal_(parameter, std=0.2)
    return base


def make_case(here, name, model, kind, config, microbatches, optimizer):
    folder = here / name
    shutil.rmtree(folder, ignore_errors=True)
    base = make_model(model)
    if model == name:
        base.save_pretrained(folder / "model")
    adapted = peft.get_peft_model(base, getattr(peft, kind)(task_type="CAUSAL_LM", **config))
    adapted.save_pretrained(folder / "initial")
    rows = make_rows(2 * BATCH_SIZE)
    torch_optimizer = make_optimizer(adapted, optimizer)
    schedule = make_schedule(torch_optimizer, optimizer["schedule"])
    trained = train(adapted, rows, microbatches, torch_optimizer, schedule, optimizer.get("maxGradientNorm"))
    adapted.save_pretrained(folder / "final")
    run = dict(model=model, steps=STEPS, batchSize=BATCH_SIZE, microbatches=microbatches, optimizer=optimizer, rows=rows,
               **trained)
    (folder / "run.json").write_text(json.dumps(run) + "\n")
    for extra in folder.glob("**/README.md"):
        extra.unlink()


def main():
    torch.set_num_threads(1)
    for name in sys.argv[1:] or [name for name in CASES if hasattr(peft, CASES[name]["kind"])]:
        make_case(Path(__file__).parent, name, **CASES[name])


main()
