"""Remembered teachers: the same students, sooner."""

import pytest
import torch
from torch import nn

from tblib.run.teacher_cache import FILE, Remembered


class Counting(nn.Module):
    """A teacher that counts how often it is asked."""

    def __init__(self):
        super().__init__()
        self.head, self.asked = nn.Linear(3, 4), 0

    def forward(self, clips):
        self.asked += 1
        return self.head(clips.mean((2, 3, 4)))


@pytest.fixture
def clips():
    return torch.rand(5, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0))


def test_an_answer_is_given_once_and_is_the_teachers_own(tmp_path, clips):
    teacher = Counting()
    remembered = Remembered(teacher, tmp_path)
    first, again = remembered(clips), remembered(clips.clone())
    assert teacher.asked == 1
    assert torch.equal(first, again) and torch.equal(first, teacher(clips))
    assert not first.requires_grad


def test_other_clips_are_another_question_and_memory_layout_is_not(tmp_path, clips):
    remembered = Remembered(Counting(), tmp_path)
    other = clips.clone()
    other[0, 0, 0, 0, 0] += 1e-3
    assert not torch.equal(remembered(clips), remembered(other))
    remembered(clips.contiguous(memory_format=torch.channels_last_3d))
    assert remembered.teacher.asked == 2


def test_the_next_student_finds_the_answers_on_disk(tmp_path, clips):
    remembered = Remembered(Counting(), tmp_path)
    expected = remembered(clips)
    remembered.save()
    heir = Remembered(Counting(), tmp_path)
    assert torch.equal(heir(clips), expected)
    assert heir.teacher.asked == 0


def test_damaged_answers_are_asked_for_again(tmp_path, clips):
    remembered = Remembered(Counting(), tmp_path)
    remembered(clips)
    remembered.save()
    path = tmp_path / FILE
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    heir = Remembered(Counting(), tmp_path)
    heir(clips)
    assert heir.teacher.asked == 1
