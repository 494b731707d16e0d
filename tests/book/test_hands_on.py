"""The lines that a page gives a reader to take along do what it says."""

import re

import pytest
import torch
from smoke import ROOT


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_twenty_lines_train_timebalance_on_anybodys_tensors(capsys):
    page = (ROOT / "book" / "hands-on.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert len([line for line in code.splitlines() if line.strip()]) <= 26
    torch.manual_seed(0)
    names: dict = {}
    exec(code, names)
    said = eval(capsys.readouterr().out)
    assert said.keys() == {"loss", "supervised", "labelled", "unlabelled"}
    assert all(parameter.grad is None for parameter in names["f_inv"].parameters())
    assert names["score"].min() >= 0 and names["score"].max() <= 1
