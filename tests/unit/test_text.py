# ruff: noqa: RUF001 - characters that look alike are the subject here
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.text import (
    authors_line,
    clean,
    direction,
    fold,
    http_url,
    language,
    shorten,
    strip_markup,
    tex_to_unicode,
)

ANY_TEXT = st.text(st.characters(codec=None, categories=None))
TEX = st.text(st.sampled_from("\\$^_{}'`\"~ abcH12%&()[]\n"), max_size=60)
XML_CHARACTERS = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


@given(ANY_TEXT)
def test_cleaned_text_is_legal_and_stable(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert XML_CHARACTERS.fullmatch(cleaned)
    assert unicodedata.is_normalized("NFC", cleaned)
    assert clean(cleaned) == cleaned
    assert cleaned == " ".join(cleaned.split())


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  a\t b\r\n c\u2028d\x85e ", "a b c d e"),
        ("Hel\x00lo\x1b", "Hello"),
        ("e\u0301", "é"),
        ("a\ud800b\udfff", "ab"),
        ("\ud83d\ude00", "😀"),
        ("a\u202eb\u2066c\u200fd", "abcd"),
        ("a\ufffeb\uffff\U0001fffe\U0010ffffc", "abc"),
        ("in\u00advi\u200bsi\ufeffble", "invisible"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("\ue000private\U000f0001", "private"),
    ],
)
def test_clean_keeps_printable_text(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_stacked_combining_marks_are_cut_quickly() -> None:
    """Normalised as they are, these would take a quarter of an hour."""
    assert len(clean("a" + "\u0316\u0300" * 500_000)) <= 32


@pytest.mark.parametrize(
    "text",
    [
        "A < B & C",
        "<think> first, <EOS> then </think>",
        "15<alpha<165",
        "a<b and c>d",
        "if x<p-value> y",
        "R&D &copy now &notit",
        "vector<int>",
        "an <a without end",
        "the <s>token, a <b> c",
    ],
)
def test_text_without_html_is_unchanged(text: str) -> None:
    assert strip_markup(text) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Hello <b>wor</b>ld</p><p>Again</p>", "Hello world Again"),
        ("one<br>two<br/>three", "one two three"),
        ("<p>We study <i>E. coli and…", "We study E. coli and…"),
        ('We do. <a href="https://a.exam', "We do."),
        ("We <b>do</b>. </", "We do."),
        ("<ce:italic>In vivo</ce:italic> CO<ce:inf>2</ce:inf>", "In vivo CO₂"),
        (
            "Growth of &lt;i&gt;E. coli&lt;/i&gt;, CO&lt;sub&gt;2&lt;/sub&gt;",
            "Growth of E. coli, CO₂",
        ),
        ("&amp;lt;i&amp;gt;E. coli&amp;lt;/i&amp;gt; &amp;amp; R&amp;amp;D", "E. coli & R&D"),
        ("<scp>ABC1</scp> T<sub>reg</sub> 5<sup>th</sup> Ca<sup>2+</sup>", "ABC1 Treg 5th Ca²⁺"),
        ("10<sup>&minus;3</sup> 10<sup>8.5</sup> x<sup><i>n</i></sup>", "10⁻³ 10^8.5 xⁿ"),
        ("<p>if k<n and n>2, a<b>c</p> <p>Next.</p>", "if k<n and n>2, a<b>c Next."),
        ("a <![CDATA[ b ]]> c", "a b c"),
        ("vip1{Delta} at 5{degrees}C {+/-} 1", "vip1Δ at 5°C ± 1"),
        (r"$\bf{alpha}$ {x} ${beta}$", r"$\bf{alpha}$ {x} ${beta}$"),
        ("In <math><msub><mi>N</mi><mn>2</mn></msub></math> gas", "In N₂ gas"),
        ("<math><mi>m</mi><mo>=</mo><mn>3</mn></math>", "m=3"),
        (
            (
                "<mml:math><mml:mfrac><mml:mn>1</mml:mn><mml:mrow><mml:mi>x</mml:mi><mml:mo>+</mml:mo>"
                "<mml:mn>1</mml:mn></mml:mrow></mml:mfrac></mml:math>"
            ),
            "1/(x+1)",
        ),
        (
            (
                "<math><semantics><msub><mi>T</mi><mtext>eff</mtext></msub>"
                "<annotation>T_{eff}</annotation></semantics></math>"
            ),
            "T_eff",
        ),
        ("<math><msqrt><mi>x</mi></msqrt><mover><mi>x</mi><mo>¯</mo></mover>", "xx¯"),
        ("H<sub>2</sub>O &amp; CO<sub>2</sub>", "H₂O & CO₂"),
        ("&lt;think&gt; &#955; &#x3bb; &hellip;", "<think> λ λ …"),
        ("x<script>alert('<p>')</script>y<STYLE>p{}</STYLE >z", "xyz"),
        ("x<!-- <p>hidden</p> -->y", "xy"),
        ("x <!-- never closed", "x <!-- never closed"),
        ("<a href=\"https://x.org/?a>b\" title='>'>link</a>", "link"),
        ('<img src=x onerror="alert(1)">', ""),
        ("<jats:p>JATS <jats:italic>too</jats:italic></jats:p>", "JATS too"),
        ("<DIV CLASS='x'>a</DIV>b", "a b"),
        ("&#xd800;&#0;x", "\ufffd\ufffdx"),
    ],
)
def test_markup_is_removed(markup: str, text: str) -> None:
    assert strip_markup(markup) == text


@pytest.mark.parametrize(
    "bomb", ["<div>" * 50_000, "<a " * 50_000, '<a "' * 50_000, "<!--" * 50_000, "<p" * 50_000]
)
def test_hostile_markup_takes_linear_time(bomb: str) -> None:
    assert len(strip_markup(bomb)) <= len(bomb)


@given(ANY_TEXT)
def test_plain_text_is_always_clean(text: str) -> None:
    assert clean(strip_markup(text)) == strip_markup(text)


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("https://arxiv.org/abs/2503.02130", "https://arxiv.org/abs/2503.02130"),
        (" HTTP://Example.ORG:8080/ä?q=ü#é ", "http://example.org:8080/%C3%A4?q=%C3%BC#%C3%A9"),
        ("https://münchen.de/%20?a=1&b=2", "https://xn--mnchen-3ya.de/%20?a=1&b=2"),
        ("http://[::1]:80/", "http://[::1]:80/"),
        ('https://x.org/"><script>', "https://x.org/%22%3E%3Cscript%3E"),
    ],
)
def test_absolute_address_becomes_a_link(value: str, url: str) -> None:
    assert http_url(value) == url


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "javascript:alert(1)",
        "JaVa\tscript:alert(1)",
        "data:text/html,x",
        "//evil.org/x",
        "/relative",
        "https://",
        "https://x.org/a b",
        "https://x.org/\x00",
        "https://user:secret@x.org/",
        "https://x.org\\@evil.org",
        "https://x.org:99999/",
        "https://a..b/",
        "https://exa<mple.org/",
        "https://[::1/",
        "ftp://x.org/",
        "https://x.org/" + "a" * 3000,
        "https://x.org/\ud800",
    ],
)
def test_other_address_becomes_no_link(value: str | None) -> None:
    assert http_url(value) is None


@given(ANY_TEXT)
def test_link_is_ascii_and_stable(text: str) -> None:
    url = http_url("https://x.org/" + text)
    assert url is None or (url.isascii() and http_url(url) == url)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("M$^3$ViT", "M³ViT"),
        ("$\\pi_0$: a $\\tau^{2}$-bench", "π₀: a τ²-bench"),
        ('Pok\\\'eChamp, G\\"odel, Erd\\H{o}s, na\\"{\\i}ve', "PokéChamp, Gödel, Erdős, naïve"),
        ("Stra\\ss e, {\\L}ukasz, \\O rsted", "Straße, Łukasz, Ørsted"),
        ("10\\% of R\\&D", "10% of R&D"),
        ("\\textbf{bold}, \\emph{soft} and {\\em old}", "bold, soft and old"),
        ("see \\url{https://x.org/a_b}", "see https://x.org/a_b"),
        ("\\$5\\$ and $5\\% to $10", "$5$ and $5% to $10"),
        ("``quoted''", "“quoted”"),
        ("$\\mathcal{O}(n \\log n)$", "O(n log n)"),
        ("\\(O(n^2)\\) and \\[x_{ij}\\]", "O(n²) and xᵢⱼ"),
        ("$\\mathbb R^n$, $\\frac{1}{2}$, $\\sqrt{d_k}$", "ℝⁿ, 1/2, √(dₖ)"),
        ("$\\approx$90, 2$\\times$ faster", "≈90, 2× faster"),
        ("$5\\%$, 6$\\%$ and $50\\%-85\\%$ of 10\\%", "5%, 6% and 50%-85% of 10%"),
        ("\\texttt{S$^2$COR} and \\emph {it}", "S²COR and it"),
        ("a factor of 1+{\\epsilon}", "a factor of 1+ϵ"),
        ("\\emph{a \\textbf{nested} one}, \\texttt{a\\_b\\%}", "a nested one, a_b%"),
        (
            "Fig.~3 of Qwen~3.7, networks~(FFN), 3~GB of~$x$",
            "Fig. 3 of Qwen 3.7, networks (FFN), 3 GB of x",
        ),
        ("$\\ell_p$ and $\\tildeΘ(n)$", "ℓₚ and Θ̃(n)"),
        ("$\\left(\\|x\\|\\right)$, $f\\colon A\\to B$", "(‖x‖), f: A→B"),
        ("$\\operatorname{rank}(A)$", "rank(A)"),
        ("a \\textgreater{} b, \\ldots, \\href{https://example.org}{words}", "a > b, …, words"),
    ],
)
def test_tex_becomes_plain_text(written: str, shown: str) -> None:
    assert tex_to_unicode(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("$10^{12}\\,M_\\odot$ at high $p_T$", "10¹² M_⊙ at high p_T"),
        ("$T_{\\mathrm{eff}}$, $\\nu_\\mu\\to\\nu_e$", "T_eff, ν_μ→νₑ"),
        ("$\\mathcal{O}(n^{2/3})$, $x_{a,b}$, $p_{T}x$", "O(n^(2/3)), x_(a,b), p_(T)x"),
        ("$e^{\\lambda t}$ and $x_{\\foo}$", "e^(λt) and x_foo"),
        ("$\\frac{a+b}{c}$, $\\frac12$, $\\sqrt[3]{x}$", "(a+b)/c, 1/2, ∛x"),
        ("$\\int_0^\\infty f$, $\\begin{matrix}a & b\\end{matrix}$", "∫₀^∞ f, a b"),
        ("$f'(x)$, 90$^\\circ$C, 3 {\\deg}C, 5^{\\circ}", "f′(x), 90°C, 3 °C, 5°"),
        ("$n\\log n\\cos\\theta$, $3\\times 10^{-3}$", "n log n cos θ, 3×10⁻³"),
        ("$\\rho = 0.7$, $\\lesssim 3~\\mathrm{km\\,s^{-1}}$", "ρ = 0.7, ≲3 km s⁻¹"),
        ("$$a_i$$, \\begin{equation*}b\\end{equation*}", "aᵢ, b"),
        ("$\\sim$$4\\times$, $10^3$$x$, $ H = s_1 $", "∼4×, 10³x, H = s₁"),
        ("O(1/\\epsilon) and \\sqrt{\\log T}", "O(1/ϵ) and √(log T)"),
        ("as in~\\cite{a}, \\citep[p.~3]{b} (\\citet{c}).", "as in,."),
        ("see Sec.~\\ref{s}. Done", "see Sec. Done"),
        ("see \\citep[e.g.][]{a}, Foo\\xspace is", "see, Foo is"),
        ("\\ion{H}{ii}, \\qty{5}{m}, \\texorpdfstring{$x$}{x}, \\S 3", "H ii, 5 m, x, § 3"),
        ("$z\\sim1$--2, $\\mathrm{Pb}$--Pb, $1$--$2$", "z∼1–2, Pb–Pb, 1–2"),
        (
            "we use \\ours, \\ie a {\\method}; \\name{} is",
            "we use our method, i.e. a method; name is",
        ),
        ("text\\footnote{Code: \\url{https://x.org/a_b}.}", "text (Code: https://x.org/a_b.)"),
        ("\\textcolor{red}{a} D\\textsuperscript{2}", "a D²"),
        ("Rao--Kupper, 3--5, so---and", "Rao–Kupper, 3–5, so—and"),
        ("``it's $x$''", "“it's x”"),
        ("\\textbf{cut off {and", "cut off {and"),
        ("$x^$, ${{{{x}}}}$, $\\cite{x}$, $\\today$", "x, x, x, today"),
        ("$\\input{/etc/hostname}$", "/etc/hostname"),
    ],
)
def test_every_formula_has_a_readable_form(written: str, shown: str) -> None:
    assert tex_to_unicode(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("X^{2}-Gaussian, 10^{19}, pi_{0.5}", "X²-Gaussian, 10¹⁹, π_0.5"),
        ("R^2{=}0.86, 4{,}851, (1{+}1)", "R²=0.86, 4,851, (1+1)"),
        ("$\\ourmethod$, p^* of {\\ourMethod}", "our method, p* of our method"),
        ("We introduce \\ours{}, a benchmark", "We introduce our method, a benchmark"),
        ("by 1.47times--2.21times.", "by 1.47×–2.21×."),
        ("R^3, M^3Det, 10^-5, O(n^k), (a+b)^2, a^b", "R³, M³Det, 10⁻⁵, O(nᵏ), (a+b)², aᵇ"),
        (
            "529times faster, 224 times 224, a d_k times d_v map",
            "529× faster, 224 × 224, a d_k × d_v map",
        ),
        ("fast--slow, 51%--71%, users -- or not -- do", "fast–slow, 51%–71%, users – or not – do"),
        (
            "tests---a grid, so ---which is rare---, (PA) --a phase",
            "tests—a grid, so —which is rare—, (PA) –a phase",
        ),
        (
            "Bird\\u2019s eye, coordinatesx2013without, i.i.d.\\@ data",
            "Bird’s eye, coordinates–without, i.i.d. data",
        ),
        (
            "We ask \\ourmethod. \\ourDataset and \\modelname",
            "We ask our method. Our dataset and our model",
        ),
        ("REVEAL{}, a {BR} of emph{loss}", "REVEAL, a BR of loss"),
        ("``a\" or ''b'' or \"c'' or `d e'", "“a” or “b” or “c” or ‘d e’"),
        ("{sim}50, 10.7times, {approx}5{times} faster", "∼50, 10.7×, ≈5× faster"),
        ("mathcal{L}_{bone}, frac{1}{2}, 90^circ", "L_bone, 1/2, 90°"),
        ("sum_{i=1}^{N} f_i, z_{t}rightarrow z_{0}", "∑ᵢ₌₁ᴺ f_i, zₜ→ z₀"),
        ("CoRe^{2}, RL_{new}x", "CoRe², RL_(new)x"),
    ],
)
def test_tex_without_its_marks_is_read(written: str, shown: str) -> None:
    assert tex_to_unicode(written) == shown


@pytest.mark.parametrize(
    "text",
    [
        "A < B & C",
        "R&D",
        "$5 to $10",
        "$5-$10 and $5M/$10M, $48-$74 of $100",
        "$5 or $, US$5 and US$6, A$ 5 or A$ 6",
        "$some words are prose$",
        "$HOME/$USER",
        "C_3 and snake_case, log^2.5, x^pq, p_T, n^(2/5), ab^",
        "file_{i}.txt, {name}_{id}, model_{size}, {time}{place}, {a, b}",
        "C:\\new\\path, \\\\server\\share, DOMAIN\\user, \\n and \\d+",
        "\\",
        "~10% of 1%~4%, 5~10, 1 ~ 2, https://example.org/~ada",
        "https://example.org/a--B_{c}, many times, 3 times",
        '--flag, "--flag", C-- is, -----, --> and <--, i--, xn--abc, ```code``` ',
        "the user`s `word, don't",
    ],
)
def test_text_without_tex_stays_as_written(text: str) -> None:
    assert tex_to_unicode(text) == text


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (
            "We present **GeoDe** (**Geo**metric **De**noising).",
            "We present GeoDe (Geometric Denoising).",
        ),
        (
            "up by **+9.78%** on *geometric collapse*: _Second Guess_",
            "up by +9.78% on geometric collapse: Second Guess",
        ),
        (
            "run `code` at [this url](https://example.org/a) or *LoRA (LR)*",
            "run code at this url or LoRA (LR)",
        ),
        ("6.2% &#177; 2.8% of R&amp;D &lt; 5", "6.2% ± 2.8% of R&D < 5"),
        ("<i>in vitro</i>, CO<sub>2</sub>, &lt;b&gt;all&lt;/b&gt;", "in vitro, CO₂, all"),
        (
            "***both*** and __two words__ and ![a plot](https://example.org/a.png)",
            "both and two words and a plot",
        ),
    ],
)
def test_markdown_and_html_become_plain_text(written: str, shown: str) -> None:
    assert tex_to_unicode(written) == shown


@pytest.mark.parametrize(
    "text",
    [
        "__init__, file_names, _x, W_Q and W_K, snake_case_name",
        "2**3 and 4**5, x ** y ** z, NPFP** and CF** too",
        "A* and D* search, C*-algebras, the *-operation on *-rings, (*) and (*)",
        "the tokens <s> and </s>, <think> and </think>, a<b and c>b, __len__ and __init__",
        "f(*args, **kwargs), *p < 0.05, **p < 0.01, R&D; AT&T; &unknown;",
        "[1](see) and [a] (https://example.org)",
    ],
)
def test_text_without_markdown_stays_as_written(text: str) -> None:
    assert tex_to_unicode(text) == text


PIECES = st.sampled_from(
    [
        *(
            "$x_i$",
            "$M_\\odot$",
            "$\\frac{a}{b+c}$",
            "$\\sqrt{n}$",
            "$\\hat{x}'$",
            "$^\\circ$",
            "$$z$$",
        ),
        *(
            "\\textbf{bold}",
            "\\emph{a $x^2$}",
            "\\textbf{",
            "\\cite{k}",
            "\\ours",
            "\\alpha",
            "\\'e",
        ),
        *(
            "10^{19}",
            "3times",
            "{sim}5",
            "``q''",
            "Fig.~3",
            "a--B",
            "\\footnote{f}",
            "\\(y_{kl}\\)",
        ),
        *(
            "$5",
            "$10",
            "word",
            "R&D",
            "snake_case",
            "(2%)",
            "C:\\new",
            "{",
            "}",
            "\\url{x.org/a_b}",
        ),
    ]
)


@given(st.lists(PIECES).map(" ".join))
def test_converted_tex_stays_as_it_is(text: str) -> None:
    shown = tex_to_unicode(text)
    assert tex_to_unicode(shown) == shown


@given(ANY_TEXT | TEX | st.lists(PIECES).map("".join))
def test_conversion_never_raises_nor_grows_long(text: str) -> None:
    assert len(tex_to_unicode(text)) <= 2 * len(text) + 2


@pytest.mark.slow
@given(
    st.lists(st.from_regex(r"[A-Za-z]{2,8}[.,;:!?)]?", fullmatch=True), min_size=1).map(" ".join)
)
def test_plain_words_survive_beside_tex(words: str) -> None:
    shown = tex_to_unicode(f"{words} $x_1$ {words} \\textbf{{{words}}}")
    assert shown == f"{words} x₁ {words} {words}"


@pytest.mark.parametrize(
    "hostile",
    [
        "{" * 50_000,
        "\\a{" * 30_000,
        "$" * 50_001,
        "$x" + "^" * 290 + "$",
        "$" + "\\sqrt" * 50 + "$",
    ],
)
def test_hostile_tex_is_read_to_its_end(hostile: str) -> None:
    assert len(tex_to_unicode(hostile)) <= 2 * len(hostile)


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("short", 5, "short"),
        ("a few words, here", 13, "a few words…"),
        ("a few words here", 12, "a few words…"),
        ("unbreakable", 6, "unbre…"),
        ("x abcdefghijkl", 8, "x abcde…"),
        ("abc", 1, "…"),
    ],
)
def test_shorten_cuts_at_a_word(text: str, limit: int, short: str) -> None:
    assert shorten(text, limit) == short


@given(st.text(), st.integers(1, 50))
def test_shortened_text_keeps_within_its_limit(text: str, limit: int) -> None:
    assert len(shorten(text, limit)) <= limit


@pytest.mark.parametrize(
    ("names", "count", "line"),
    [
        ((), None, ""),
        ((), 1, "1 author"),
        ((), 7, "7 authors"),
        (("Ada",), None, "Ada"),
        (("Ada", "Bo", "Cy"), 3, "Ada, Bo, Cy"),
        (("Ada", "Bo", "Cy", "Di"), None, "Ada, Bo … Di (4)"),
        (("Ada", "Bo", "Cy", "Di"), 664, "Ada, Bo, Cy … (664)"),
        (("Ada",), 2, "Ada … (2)"),
    ],
)
def test_first_and_last_authors_are_shown(
    names: tuple[str, ...], count: int | None, line: str
) -> None:
    assert authors_line(names, count) == line


def test_folding_ignores_case_accents_and_hyphens() -> None:
    assert fold("Łódź ÉCOLE") == "łodz ecole"
    assert fold("STRASSE") == fold("Straße")
    assert fold("chain‑of–thought’s M³ViT") == "chain-of-thought's m3vit"
    assert fold("LoRA") == "lora"


# -- languages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tag", "way"),
    [
        ("Attention Is All You Need", "", "ltr"),
        ("Größere Sprachmodelle, kleinere Fehler", "", "ltr"),
        ("大规模语言模型综述", "zh", "ltr"),
        ("日本語の大規模言語モデル", "ja", "ltr"),
        ("한국어 언어 모델", "ko", "ltr"),
        ("מודלי שפה גדולים", "he", "rtl"),
        ("نماذج اللغة الكبيرة", "und-Arab", "rtl"),
        ("Языковые модели", "und-Cyrl", "ltr"),
        ("Γλωσσικά μοντέλα", "el", "ltr"),
        ("Learning α, β and γ with 漢字", "", "ltr"),
        ("2026: مراجعة GPT", "und-Arab", "rtl"),
        ("Attention נ", "", "ltr"),
        ("α² + β² → 𝒪(n)", "", "ltr"),
        ("… —", "", "ltr"),
        ("", "", "ltr"),
    ],
)
def test_language_is_marked_from_the_script(text: str, tag: str, way: str) -> None:
    assert (language(text), direction(text)) == (tag, way)
