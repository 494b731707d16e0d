"""CMPL: two different networks, each labelled by the other alone, one of them kept."""

import torch
from helpers import batches_of, fake_pool, made, tiny_profile
from torch.nn.functional import cross_entropy

from tblib.models import parameter_count

BATCHES = batches_of(made("cmpl", tiny_profile()), fake_pool(24, 8))


def cmpl(**options):
    return made("cmpl", tiny_profile(), **options).eval()


def test_the_networks_differ_in_structure_and_start():
    nets = cmpl().learner
    count = [parameter_count(nets[name]) for name in ("primary", "auxiliary")]
    assert 3 < count[0] / count[1] < 5


def test_each_learns_from_the_other_and_never_from_itself():
    method, (weak, strong) = cmpl(weight=2.0), BATCHES["unlabelled"].clips
    method.tau = 0.0
    own, other = (method.learner[name] for name in ("primary", "auxiliary"))
    with torch.no_grad():  # make them disagree everywhere
        own.head.bias.copy_(torch.tensor([9.0, 0]))
        other.head.bias.copy_(torch.tensor([0, 9.0]))
    values = method(**BATCHES)
    assert values["agreement"] == 0
    told = torch.ones(len(weak), dtype=torch.long)
    torch.testing.assert_close(values["unlabelled"], cross_entropy(own(strong), told))
    torch.testing.assert_close(
        values["unlabelled_auxiliary"], cross_entropy(other(strong), 1 - told)
    )
    labelled = BATCHES["labelled"]
    sums = [cross_entropy(net(labelled.clips[0]), labelled.label) for net in (own, other)]
    pseudo = values["unlabelled"] + values["unlabelled_auxiliary"]
    torch.testing.assert_close(values["loss"], sum(sums) + 2 * pseudo)


def test_swapping_what_the_networks_say_swaps_the_masks(monkeypatch):
    method = cmpl()
    net_of = {id(net): name for name, net in method.learner.items()}
    sizes = (len(BATCHES["labelled"].label),) + (len(BATCHES["unlabelled"].label),) * 2
    said = {name: [torch.randn(size, 2) * 2 for size in sizes] for name in method.learner}
    monkeypatch.setattr(
        "tblib.methods.semi.cmpl.together", lambda net, *clips: said[net_of[id(net)]]
    )
    first = method(**BATCHES)
    said["primary"], said["auxiliary"] = said["auxiliary"], said["primary"]
    second = method(**BATCHES)
    for a, b in (("guess", "guess_for_auxiliary"), ("guess_for_auxiliary", "guess")):
        assert torch.equal(first[a].used, second[b].used)
        assert torch.equal(first[a].label, second[b].label)
    torch.testing.assert_close(first["unlabelled"], second["unlabelled_auxiliary"])


def test_the_auxiliary_is_not_in_what_is_kept():
    method = cmpl()
    assert method.kept is method.learner["primary"]
    assert not any("auxiliary" in name for name in method.kept.state_dict())
