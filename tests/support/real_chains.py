"""Real chains with their gold answers, from the shared data."""

from __future__ import annotations

import json

from stepgauge.metrics import Trace


def real_chains(root) -> list[Trace]:
    """200 real chains: 160 of GSM8K's example models, 20 of prmbench, 20 of mrben, the shorter ones."""

    def shortest(traces: list[Trace], count: int) -> list[Trace]:
        return sorted(traces, key=lambda trace: len(trace.question) + len(trace.response))[:count]

    gsm8k, prmbench, mrben = [], {}, []
    for i, line in enumerate((root / "gsm8k" / "example_model_solutions.jsonl").read_text("utf-8").splitlines()):
        row = json.loads(line)
        gold = row["ground_truth"].rpartition("A: ")[2]
        for model in ("6b_finetuning", "175b_verification"):
            gsm8k.append(
                Trace(row["question"], row[model]["solution"], gold, id=f"gsm8k {i} {model}", meta={"source": "gsm8k"})
            )
    for path in sorted((root / "prmbench").glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            response = "\n".join(row["original_process"])
            gold = row["original_process"][-1].rstrip(".").rpartition(" ")[2]
            if gold:
                prmbench[response] = Trace(
                    row["original_question"], response, gold, id=row["idx"], meta={"source": "prmbench"}
                )
    for name in ("math", "medicine"):
        for rows in json.loads((root / "mrben" / f"{name}.json").read_text("utf-8")).values():
            row = rows[0]
            response = "\n".join(row["Model_Solution_Steps"])
            question = f"{row['Question']}\n{row['Options']}"
            gold, key = row["Ground_Truth_Answer"], row["Question_UUID"]
            mrben.append(Trace(question, response, gold, id=key, meta={"source": "mrben"}))
    return [*shortest(gsm8k[:: len(gsm8k) // 600], 160), *shortest(list(prmbench.values()), 20), *shortest(mrben, 20)]
