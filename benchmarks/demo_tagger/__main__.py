"""`python -m benchmarks.demo_tagger`: draws pictures of the demo's world, trains the small tagger on them and writes it
to tests/data/tagger/; what it tells of fresh pictures goes to benchmarks/results/demo_tagger.json.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from advisor.tagging.choose_tags import THRESHOLD
from benchmarks.demo_tagger.network import SmallTagger, onnx_of
from benchmarks.demo_tagger.world import all_tags, general_tags, pictures, pooled, targets
from trainer.tagging.session import onnx_runtime

ROOT = Path(__file__).parents[2]
MODEL, TAGS = "model.onnx", "selected_tags.csv"
TRAINED, FRESH = 4000, 500
SEED, FRESH_SEED = 11, 12
EPOCHS, BATCH, RATE = 14, 64, 3e-3


def train(folder: Path) -> float:
    """Train and write the tagger; gives the seconds that it took."""
    began = time.monotonic()
    torch.manual_seed(SEED)
    names = [name for name, _ in all_tags()]
    known = list(pictures(TRAINED, SEED))
    given = torch.from_numpy(np.stack([pooled(one.image) for one in known])).float()
    wanted = torch.from_numpy(targets(known, names))
    network = SmallTagger(len(names))
    steps = EPOCHS * (TRAINED // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    step = 0
    while step < steps:
        for chosen in torch.randperm(TRAINED).split(BATCH):
            if len(chosen) < BATCH or step == steps:
                continue
            loss = binary_cross_entropy_with_logits(network(given[chosen]), wanted[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            step += 1
        print(f"step {step} of {steps}: loss {loss.item():.4f}, {time.monotonic() - began:.0f} s", flush=True)
    network.eval()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL).write_bytes(onnx_of(network))
    rows = [f"{place},{name},{category},{TRAINED}" for place, (name, category) in enumerate(all_tags())]
    (folder / TAGS).write_text("\n".join(["tag_id,name,category,count", *rows]) + "\n", encoding="utf-8")
    return time.monotonic() - began


def judge(folder: Path) -> dict[str, float]:
    """Precision and recall of the written tagger's general tags on fresh pictures, and of the character's name."""
    names = [name for name, _ in all_tags()]
    known = list(pictures(FRESH, FRESH_SEED))
    session = onnx_runtime().InferenceSession(folder / MODEL, providers=["CPUExecutionProvider"])
    found = []
    for one in known:
        large = one.image.resize((448, 448), resample=3)
        pixels = np.asarray(large, dtype=np.float32)[None, :, :, ::-1]
        found.append(session.run(["output"], {"input": np.ascontiguousarray(pixels)})[0][0])
    wanted, told = targets(known, names) > 0, np.stack(found)
    general = [names.index(name) for name in general_tags()]
    hits = (told[:, general] >= THRESHOLD) & wanted[:, general]
    character = told[:, -1] >= 0.85
    return {
        "pictures": FRESH,
        "threshold": THRESHOLD,
        "precision": round(float(hits.sum() / (told[:, general] >= THRESHOLD).sum()), 4),
        "recall": round(float(hits.sum() / wanted[:, general].sum()), 4),
        "character_precision": round(float((character & wanted[:, -1]).sum() / max(1, character.sum())), 4),
        "character_recall": round(float((character & wanted[:, -1]).sum() / wanted[:, -1].sum()), 4),
    }


def main() -> None:
    """Do what the module says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "data" / "tagger")
    parser.add_argument("--judge", action="store_true", help="only look at what is there")
    given = parser.parse_args()
    seconds = 0.0 if given.judge else train(given.out)
    figures = judge(given.out)
    if not given.judge:
        figures |= {"training_seconds": round(seconds), "bytes": (given.out / MODEL).stat().st_size}
        results = ROOT / "benchmarks" / "results" / "demo_tagger.json"
        results.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
