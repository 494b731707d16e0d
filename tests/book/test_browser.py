"""The rendered book in a real browser: Chromium opens every page from disk, in both themes."""

import csv
from pathlib import Path
from urllib.parse import unquote

import pdf  # in book/, which `needs` has put on the path
import pytest
from bs4 import BeautifulSoup
from needs import chromium, in_a_browser

pytestmark = [pytest.mark.timeout(900), in_a_browser]
SIZES = ((390, 844), (1400, 900))
WAIT = 120_000  # ms; a busy machine is not an error

# Everything that is asked of a drawn page at one size, as text about what is wrong.
LOOK = r"""
() => {
  const wrong = [], page = document.documentElement;
  if (page.scrollWidth > innerWidth + 1) wrong.push(`${page.scrollWidth} px wide`);
  const article = document.querySelector("article") || document.body;
  for (const image of article.querySelectorAll("img")) {
    const name = image.src.split("/").pop();
    if (!image.complete || !image.naturalWidth) wrong.push(`${name} is not shown`);
    if (image.alt.trim().split(/\s+/).length < 4) wrong.push(`${name} has no words`);
    const look = getComputedStyle(image); // the theme gives pictures a frame on dark pages
    const width = image.clientWidth - parseFloat(look.paddingLeft) - parseFloat(look.paddingRight);
    if (!image.clientWidth || name.endsWith(".svg")) continue;
    if (width > image.naturalWidth + 1) wrong.push(`${name} is blown up`);
    if (width < 0.7 * Math.min(image.naturalWidth, article.clientWidth))
      wrong.push(`${name} is ${width} px wide, too small to read`);
  }
  const math = article.querySelectorAll(".math");
  const drawn = [...math].filter((node) => node.querySelector("mjx-container"));
  if (drawn.length < math.length) wrong.push(`${math.length - drawn.length} formulas not drawn`);
  if (document.querySelector("mjx-merror")) wrong.push("a formula with an error");
  const words = [...article.querySelectorAll("p, li, td, th, dd, figcaption")];
  const outside = (node) => !node.closest("pre, code, .highlight");
  if (words.some((node) => outside(node) && /\$\$|\\begin\{/.test(node.innerText || "")))
    wrong.push("raw mathematics in the text");
  return wrong;
}
"""

OPEN = "for (const part of document.querySelectorAll('details')) part.open = true"

# WCAG's contrast of text to its background, the least of all visible text of the article.
CONTRAST = r"""
() => {
  const rgb = (text) => {
    const values = (text.match(/[\d.]+/g) || []).map(Number);
    return text.startsWith("color(") ? values.map((v, k) => (k < 3 ? 255 * v : v)) : values;
  };
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => v / 255)
      .map((v) => (v > 0.04045 ? ((v + 0.055) / 1.055) ** 2.4 : v / 12.92));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const c = rgb(getComputedStyle(at).backgroundColor);
      if (c.length === 3 || c[3] > 0.5) return c;
    }
    return [255, 255, 255];
  };
  let worst = { ratio: 99 };
  const kinds = "p, li, td, th, dt, dd, figcaption, .caption-text, .alive-name, .alive-said, pre";
  for (const node of document.querySelectorAll(kinds.split(", ").map((k) => "article " + k))) {
    if (!node.innerText?.trim() || !node.getClientRects().length) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(paper(node))].sort();
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst.ratio) worst = { ratio, text: node.innerText.slice(0, 60) };
  }
  return worst;
}
"""


@pytest.fixture(scope="module")
def browser():
    with chromium.started() as opened:
        yield opened


def _failure(asked) -> list[str]:
    """What did not load; a link that becomes a download is aborted as a page, and that is right."""
    return [] if asked.failure == "net::ERR_ABORTED" else [f"not loaded: {asked.url}"]


def listened(page) -> list[str]:
    """Collect what a page complains about, and whatever it asks of a network."""
    heard = []
    page.set_default_timeout(WAIT)
    page.on("pageerror", lambda error: heard.append(f"script error: {error}"))
    page.on("console", lambda line: heard.append(line.text) if line.type == "error" else None)
    page.on("requestfailed", lambda asked: heard.extend(_failure(asked)))
    local = ("file:", "data:", "blob:")
    page.on(
        "request",
        lambda asked: None if asked.url.startswith(local) else heard.append(f"asked: {asked.url}"),
    )
    return heard


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1400, "height": 900}, accept_downloads=True)
    opened = context.new_page()
    heard = listened(opened)
    yield opened
    context.close()
    assert heard == []


def pages(html) -> list:
    """Every page of the book, and one of those with source code."""
    own = [p for folder in ("book", "notebooks") for p in sorted((html / folder).rglob("*.html"))]
    return [
        *own,
        html / "search.html",
        html / "genindex.html",
        html / "_modules/tblib/methods/losses.html",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_loads_offline_and_reads_well(html, browser, scheme):
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")
    opened, wrong = context.new_page(), {}
    heard = listened(opened)
    for path in pages(html):
        found = []
        for width, height in SIZES:
            opened.set_viewport_size({"width": width, "height": height})
            if width == SIZES[0][0]:
                opened.goto(path.as_uri())
                chromium.settle(opened)
                opened.evaluate(OPEN)  # what is closed has to fit as well
            found += [f"{width} px: {what}" for what in opened.evaluate(LOOK)]
        worst = opened.evaluate(CONTRAST)
        if worst["ratio"] < 4.5:
            found.append(f"contrast {worst['ratio']:.1f} at {worst['text']!r}")
        assert opened.evaluate("document.documentElement.dataset.theme") == scheme
        found += heard
        heard.clear()
        if found:
            wrong[path.relative_to(html).as_posix()] = found
    context.close()
    assert wrong == {}


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_main_table_is_on_the_first_screen(html, page, width, height):
    """All tables at once were thirty screens; a reader came for one of them."""
    page.set_viewport_size({"width": width, "height": height})
    page.goto((html / "book" / "results.html").as_uri())
    box = page.locator("article table").filter(has_text="TimeBalance").first.bounding_box()
    assert box["y"] < height / 2 and (width < 1000 or box["y"] + box["height"] < height)
    assert page.evaluate("document.documentElement.scrollHeight") < 10 * height
    closed = page.locator("article details")
    assert closed.count() > 10 and page.locator("article details[open]").count() == 0
    first = closed.locator("table").first
    assert not first.is_visible()
    closed.first.locator("summary").click()
    assert first.is_visible()


def test_long_pages_are_closed_or_cut_so_that_a_phone_can_read_them(html, page):
    """The reference was 220 screens of a phone as one page, what can be relied on 68."""
    width, height = SIZES[0]
    page.set_viewport_size({"width": width, "height": height})
    reference = sorted((html / "book" / "api").glob("*.html"))
    for path, screens in [(html / "book" / "reliability.html", 15), *((p, 36) for p in reference)]:
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollHeight") < screens * height, path.stem
    page.goto((html / "book" / "reliability.html").as_uri())
    assert page.locator("article details[open]").count() == 0
    tests = page.locator("article details").filter(has_text="The tests (").first
    assert not tests.locator("li").first.is_visible()
    tests.locator("summary").click()
    assert tests.locator("li").first.is_visible()


def test_tables_are_ordered_by_mouse_and_keyboard(html, page):
    page.goto((html / "book" / "results.html").as_uri())
    page.evaluate(OPEN)
    table = page.locator(".sortable table").filter(has_text="TG-FixMatch")
    texts = table.locator("thead th").all_inner_texts()
    k = next(i for i, text in enumerate(texts, 1) if text.startswith("UCF101 20 %"))
    head, cells = table.locator(f"thead th:nth-child({k})"), f"tbody tr td:nth-child({k})"

    def numbers():
        found = [text.strip() for text in table.locator(cells).all_inner_texts()]
        return [float(text) for text in found if text != "–"], found

    before = sorted(numbers()[0])
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert numbers()[0] == before and numbers()[1][-1] == "–"
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert numbers()[0] == before[::-1] and numbers()[1][-1] == "–"


def test_tables_can_be_taken_along(html, page):
    page.goto((html / "book" / "results.html").as_uri())
    page.evaluate(OPEN)
    with page.expect_download() as waiting:
        page.locator("a.download[href$='paper-main-table.csv']").click()
    with Path(waiting.value.path()).open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 1 + 24 and rows[0][0] == "method"
    ours = next(row for row in rows if row[0] == "TimeBalance")
    assert ours[rows[0].index("UCF101 5 %")] == "47.9"


def test_moving_s_moves_the_mixture(html, page):
    page.goto((html / "book" / "hands-on.html").as_uri())
    figure = page.locator("[data-alive=mixture]")
    slider = figure.get_by_label("weight s of the invariant teacher")

    def rows():
        track = ".alive-row >> nth=0 >> .alive-track"
        return [float(p.get_attribute("data-p")) for p in figure.locator(track).all()]

    slider.focus()
    for key, s in (("Home", 0.0), ("End", 1.0), ("ArrowLeft", 0.99)):
        page.keyboard.press(key)
        p_inv, p_dist, mixed = rows()
        assert float(slider.input_value()) == s
        assert mixed == pytest.approx(s * p_inv + (1 - s) * p_dist, abs=2e-4)
        assert figure.locator("output").inner_text().startswith(f"s = {s:.2f}:")
    before = rows()
    figure.locator("select").select_option(index=1)
    assert rows() != before
    figure.get_by_role("button", name="Measured").click()
    assert float(slider.input_value()) != 0.99


def test_choosing_a_video_shows_its_similarities(html, page):
    page.goto((html / "book" / "hands-on.html").as_uri())
    figure = page.locator("[data-alive=similarity]")
    cells = figure.get_by_role("gridcell")
    first = cells.evaluate_all("nodes => nodes.map((n) => n.getAttribute('aria-label'))")
    assert int(len(first) ** 0.5) ** 2 == len(first) and first[0].endswith("1.0000")
    figure.locator("select").select_option(index=2)
    second = cells.evaluate_all("nodes => nodes.map((n) => n.getAttribute('aria-label'))")
    assert len(second) == len(first) and second != first
    cells.nth(0).click()
    page.keyboard.press("ArrowRight")
    assert cells.nth(1).get_attribute("aria-selected") == "true"
    assert figure.locator("output").inner_text().startswith("Clips 1 and 2: cosine ")
    picture = figure.locator(".alive-screen .alive-clip").evaluate(
        "async (n) => { const i = new Image(); "
        "i.src = getComputedStyle(n).backgroundImage.slice(5, -2); await i.decode(); "
        "return [i.naturalWidth, i.naturalHeight]; }"
    )
    assert picture == [32 * 144, 144]


def test_pictures_move_until_paused(html, page):
    page.goto((html / "book" / "intro.html").as_uri())
    figure = page.locator("[data-alive=clips]")
    state = "n => getComputedStyle(n).animationPlayState"
    assert figure.locator(".alive-clip").count() == 6
    assert figure.locator(".alive-clip").first.evaluate(state) == "running"
    figure.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert figure.locator(".alive-clip").first.evaluate(state) == "paused"


def test_pictures_stand_still_for_who_wants_it(html, page):
    page.emulate_media(reduced_motion="reduce")
    page.goto((html / "book" / "intro.html").as_uri())
    clip = page.locator("[data-alive=clips] .alive-clip").first
    assert clip.evaluate("n => getComputedStyle(n).animationPlayState") == "paused"
    page.get_by_role("button", name="Play").click()
    assert clip.evaluate("n => getComputedStyle(n).animationPlayState") == "running"


def test_paper_and_pages_without_scripts_show_still_pictures(html, page, browser):
    address = (html / "book" / "hands-on.html").as_uri()
    page.goto(address)
    live, still = page.locator(".alive").first, page.locator(".still img").first
    assert live.is_visible() and not still.is_visible()
    page.emulate_media(media="print")
    assert still.is_visible() and not live.is_visible()
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.set_default_timeout(WAIT)
    plain.goto(address)
    assert plain.locator(".still img").first.is_visible()
    assert not plain.locator(".alive").first.is_visible()
    context.close()


def test_search_finds_pages(html, page):
    page.goto((html / "search.html").as_uri() + "?q=teacher")
    page.locator("#search-results li a").first.wait_for()
    found = page.locator("#search-results li a").all_inner_texts()
    assert len(found) > 3


def test_code_can_be_copied(html, page):
    page.goto((html / "notebooks" / "05_reweighting.html").as_uri())
    assert page.locator("button.copybtn").count() >= page.locator(".cell_input").count() > 5
    button = page.locator(".cell_input button.copybtn").first
    button.hover()
    button.click()
    page.wait_for_function("document.querySelector('.copybtn.success') !== null")


def test_a_page_is_printed_with_its_still_pictures(html, browser, tmp_path):
    target = pdf.printed(browser, html / "book" / "hands-on.html", tmp_path / "x.pdf")
    assert target.read_bytes().startswith(b"%PDF")
    assert target.stat().st_size > 100_000


@pytest.mark.parametrize("name", ["book/results", "notebooks/09_the_claim_tested"])
def test_no_table_leaves_the_paper(html, browser, name):
    tab = pdf.laid_out(browser, html / f"{name}.html")
    outside = """() => [...document.querySelectorAll("article table")].filter((table) =>
      table.getBoundingClientRect().right >
        table.closest(".sd-card-body, article").getBoundingClientRect().right
    ).map((table) => table.innerText.slice(0, 80))"""
    found, tables = tab.evaluate(outside), tab.locator("article table").count()
    tab.close()
    assert tables > 3 and found == []


CUT = """() => {
  const edge = document.querySelector("article").getBoundingClientRect().right + 1;
  const kinds = "article :is(pre, table, img, mjx-container)";
  const wrong = [...document.querySelectorAll(kinds)].filter(
    (node) => node.getClientRects().length && (node.getBoundingClientRect().right > edge
      || (node.matches("pre") && node.scrollWidth > node.clientWidth + 1)));
  return wrong.map((node) => node.tagName + " " + (node.innerText || "").slice(0, 60));
}"""


@pytest.mark.parametrize("name", ["notebooks/02_ssl_pretraining", "notebooks/07_ablations"])
def test_a_page_printed_from_the_browser_is_not_cut(html, browser, name):
    """With the page's own print style alone; what is closed opens, and closes again."""
    tab = browser.new_page(viewport={"width": pdf.ROOM, "height": 1000})
    tab.set_default_timeout(WAIT)
    tab.goto((html / f"{name}.html").as_uri())
    chromium.settle(tab)
    closed = tab.locator("article details:not([open])").count()
    tab.emulate_media(media="print")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert closed and tab.locator("article details:not([open])").count() == 0
    found, blocks = tab.evaluate(CUT), tab.locator("article pre").count()
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.locator("article details:not([open])").count() == closed
    tab.close()
    assert blocks > 10 and found == []


def test_references_of_the_printed_book_lead_to_its_own_pages(html):
    page = pdf.single_page(html.parents[1])
    soup = BeautifulSoup(page.read_text(), "html.parser")
    page.unlink()
    ids = {node["id"] for node in soup.select("article, article [id]")}
    links = {a["href"] for a in soup.select("article a[href^='#']")}
    assert {link for link in links if unquote(link[1:]) not in ids} == set()
    assert len(soup.find_all("article")) == len(pdf.names(html.parents[0] / "book"))
    missing = [i["src"] for i in soup.select("article img") if not (html / i["src"]).is_file()]
    assert missing == []
