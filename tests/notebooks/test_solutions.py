"""All chapters as lessons: every part is there, and coded solutions run after their chapter."""

import re

import pytest

from tblib.lesson.chapters import chapters
from tblib.lesson.execute import read, tagged

BOX = re.compile(r"^(`{3,})\{admonition\} (\w+)\n:class: dropdown\n(.*?)^\1$", re.M | re.S)
CODE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
LESSONS = {int(number): read(path) for number, path in chapters().items()}
each = pytest.mark.parametrize("number", LESSONS)


def prose(number):
    return "\n\n".join(c.source for c in LESSONS[number].cells if c.cell_type == "markdown")


def boxes(number, title):
    """Texts of the closed boxes of a chapter with that title: `Answer` or `Solution`."""
    return [text for _, name, text in BOX.findall(prose(number)) if name == title]


def solutions(number):
    return [code for text in boxes(number, "Solution") for code in CODE.findall(text)]


@pytest.fixture(scope="module")
def after(tmp_path_factory):
    """All names that a chapter leaves at smoke; the chapters before it are run first, once."""
    folder, done = tmp_path_factory.mktemp("lessons"), {}

    def names(number):
        for k in range(1, number + 1):
            done[k] = done.get(k) or run(k, str(folder))
        return dict(done[number])

    return names


def run(number, folder):
    """Execute the code cells of a chapter in this process."""
    names = {"__name__": f"chapter_{number}"}
    for cell in LESSONS[number].cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, f"<chapter {number}>", "exec"), names)
        if tagged(cell, "parameters"):
            names["run_dir"] = folder
    return names


@each
@pytest.mark.timeout(600)
def test_coded_solutions_run_after_their_chapter(after, number):
    for k, code in enumerate(solutions(number), 1):
        exec(compile(code, f"<chapter {number}, solution {k}>", "exec"), after(number))


@each
def test_coded_solutions_end_with_a_check_and_fit_the_page(number):
    assert len(solutions(number)) >= 2
    for code in solutions(number):
        assert re.match(r"(    )*assert ", code.splitlines()[-1]), code
        assert len(code.splitlines()) <= 30, code
        assert max(map(len, code.splitlines())) <= 80, code


@each
def test_every_part_of_a_lesson_is_there(number):
    text = prose(number)
    order = ["*You will learn*", "## Check yourself", "## Exercises", "## What to read next"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "{cite:" in text[places[-1] :]
    levels = re.findall(r"^\d\. \*\*(Easy|Middle|Harder)\.\*\*", text[places[2] :], re.M)
    assert levels == sorted(levels, key=["Easy", "Middle", "Harder"].index)
    assert set(levels) == {"Easy", "Middle", "Harder"}
    assert 3 <= len(boxes(number, "Solution")) == len(levels) <= 5
    questions = re.findall(r"^\d\. ", text[places[1] : places[2]], re.M)
    assert 3 <= len(boxes(number, "Answer")) == len(questions) <= 5


@each
def test_a_chapter_can_be_read_in_one_sitting(number):
    """Between 1,200 and 1,800 words, code not counted."""
    assert 1200 <= len(CODE.sub("", prose(number)).split()) <= 1800


@each
def test_no_code_in_words_stays_untested(number):
    text = prose(number)
    assert text.count("```python") == len(solutions(number))
    assert text.count("{admonition}") == len(boxes(number, "Answer") + boxes(number, "Solution"))


def test_boxes_with_and_without_code_are_told_apart():
    plain = "```{admonition} Solution\n:class: dropdown\nWords.\n```\n"
    coded = "````{admonition} Solution\n:class: dropdown\n```python\nassert 1\n```\n````\n"
    texts = [text for _, _, text in BOX.findall(plain + coded + plain)]
    assert [CODE.findall(text) for text in texts] == [[], ["assert 1\n"], []]
