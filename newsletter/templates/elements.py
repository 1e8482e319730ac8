"""MJML's elements that a letter may use, each with the attributes MJML 5's validator allows it."""

_EVERYWHERE = frozenset({"css-class", "mj-class"})

_ATTRIBUTES = {
    "mj-all": "",
    "mj-attributes": "",
    "mj-body": "background-color id width",
    "mj-breakpoint": "width",
    "mj-button": (
        "align background-color border border-bottom border-left border-radius border-right "
        "border-top color container-background-color font-family font-size font-style "
        "font-weight height href inner-padding letter-spacing line-height name padding "
        "padding-bottom padding-left padding-right padding-top rel target text-align "
        "text-decoration text-transform title vertical-align width"
    ),
    "mj-class": "name",
    "mj-column": (
        "background-color border border-bottom border-left border-radius border-right "
        "border-top direction inner-background-color inner-border inner-border-bottom "
        "inner-border-left inner-border-radius inner-border-right inner-border-top padding "
        "padding-bottom padding-left padding-right padding-top vertical-align width"
    ),
    "mj-divider": (
        "align border-color border-style border-width container-background-color padding "
        "padding-bottom padding-left padding-right padding-top width"
    ),
    "mj-font": "href name",
    "mj-group": "background-color direction vertical-align width",
    "mj-head": "",
    "mj-hero": (
        "background-color background-height background-position background-url "
        "background-width border-radius height inner-background-color inner-padding "
        "inner-padding-bottom inner-padding-left inner-padding-right inner-padding-top mode "
        "padding padding-bottom padding-left padding-right padding-top vertical-align"
    ),
    "mj-image": (
        "align alt border border-bottom border-left border-radius border-right border-top "
        "container-background-color fluid-on-mobile font-size height href max-height name "
        "padding padding-bottom padding-left padding-right padding-top rel sizes src srcset "
        "target title usemap width"
    ),
    "mj-include": "css-inline path type",
    "mj-preview": "",
    "mj-raw": "position",
    "mj-section": (
        "background-color background-position background-position-x background-position-y "
        "background-repeat background-size background-url border border-bottom border-left "
        "border-radius border-right border-top direction full-width gutter padding "
        "padding-bottom padding-left padding-right padding-top text-align text-padding"
    ),
    "mj-spacer": (
        "border border-bottom border-left border-right border-top container-background-color "
        "height padding padding-bottom padding-left padding-right padding-top"
    ),
    "mj-style": "inline",
    "mj-table": (
        "align border cellpadding cellspacing color container-background-color font-family "
        "font-size font-weight line-height padding padding-bottom padding-left padding-right "
        "padding-top role table-layout vertical-align width"
    ),
    "mj-text": (
        "align background-color color container-background-color font-family font-size "
        "font-style font-weight height letter-spacing line-height padding padding-bottom "
        "padding-left padding-right padding-top text-decoration text-transform vertical-align"
    ),
    "mj-title": "",
    "mj-wrapper": (
        "background-color background-position background-position-x background-position-y "
        "background-repeat background-size background-url border border-bottom border-left "
        "border-radius border-right border-top direction full-width gap gutter padding "
        "padding-bottom padding-left padding-right padding-top text-align text-padding"
    ),
    "mjml": "dir lang owa",
}

ELEMENTS = {name: _EVERYWHERE | frozenset(words.split()) for name, words in _ATTRIBUTES.items()}
"""The attributes of each element. The compiler drops what it does not know without a word."""

DEFAULTS = frozenset({"mj-all", "mj-class"})
"""Elements that stand for others in ``mj-attributes``: they take any of their attributes."""

ANY = frozenset[str]().union(*ELEMENTS.values())
"""Every attribute of any element."""
