# The chapters as a graph of papermill runs, in the working folder, which is the run directory.
# Started by workflow/run.py (`make reproduce`), which checks the profile, leaves the request and
# refreshes the stamps.  No name that a user chose is in here: Snakemake would interpret it.
import sys
from pathlib import Path

AFTER = {"01": [], "02": ["01"], "03": ["02"], "04": ["02"], "05": ["03", "04"], "06": ["05"], "07": ["06"], "08": ["01"], "09": ["01"]}
NAMES = {path.name[:2]: path.stem for path in sorted((Path(workflow.basedir) / "notebooks").glob("[0-9][0-9]_*.py"))}

wildcard_constraints:
    chapter="[0-9][0-9]",


rule all:
    input:
        [f"metrics/{chapter}.json" for chapter in NAMES],
        [f"notebooks/{name}.ipynb" for name in NAMES.values()],


# Checkpoints are not declared: Snakemake deletes declared outputs of a failed job, and a retry is
# meant to continue from them.
for number, name in NAMES.items():

    rule:
        name: f"chapter_{number}"
        input:
            f"stamps/{number}.json",
            [f"metrics/{before}.json" for before in AFTER[number] if before in NAMES],
        output:
            f"notebooks/{name}.ipynb",
            f"metrics/{number}.json",
        log:
            f"logs/{number}.log",
        params:
            python=lambda wildcards: sys.executable,  # a function: text would be a pattern
            number=number,
        threads: 2
        shell:
            # A signal to all processes must leave the chapter someone to talk to while it saves.
            "trap : TERM USR1; {params.python:q} -m tblib run {params.number}"
            " --request request.json 2>&1"
            " | (trap '' TERM USR1; tee {log:q} | sed -u 's/^/[{params.number}] /')"
