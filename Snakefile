# The chapters as a graph of papermill runs, for one profile and one run directory.
# Started by workflow/run.py (`make reproduce`), which checks the profile and refreshes the stamps.
import sys
from pathlib import Path

RUN = config["run_dir"]
AFTER = {"01": [], "02": ["01"], "03": ["02"], "04": ["02"], "05": ["03", "04"], "06": ["05"], "07": ["06"], "08": ["01"], "09": ["01"]}
NAMES = {path.name[:2]: path.stem for path in sorted(Path("notebooks").glob("[0-9][0-9]_*.py"))}

wildcard_constraints:
    chapter="[0-9][0-9]",


rule all:
    input:
        [f"{RUN}/metrics/{chapter}.json" for chapter in NAMES],
        [f"{RUN}/notebooks/{name}.ipynb" for name in NAMES.values()],


# Checkpoints are not declared: Snakemake deletes declared outputs of a failed job, and a retry is
# meant to continue from them.
for number, name in NAMES.items():

    rule:
        name: f"chapter_{number}"
        input:
            f"{RUN}/stamps/{number}.json",
            [f"{RUN}/metrics/{before}.json" for before in AFTER[number] if before in NAMES],
        output:
            f"{RUN}/notebooks/{name}.ipynb",
            f"{RUN}/metrics/{number}.json",
        log:
            f"{RUN}/logs/{number}.log",
        params:
            python=sys.executable,
            number=number,
            profile=config["profile"],
            run_dir=RUN,
        threads: 2
        shell:
            # A signal to all processes must leave the chapter someone to talk to while it saves.
            "trap : TERM USR1; {params.python:q} -m tblib run {params.number}"
            " --profile {params.profile:q} --run-dir {params.run_dir:q} 2>&1"
            " | (trap '' TERM USR1; tee {log:q} | sed -u 's/^/[{params.number}] /')"
