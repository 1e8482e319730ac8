"""The singular of English words: rules, and the words to which they do not apply.

Only number is removed: ``trained`` and ``training`` stay what they are. What counts is that a word
and its plural give the same, and that no other word does.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _pairs(text: str) -> dict[str, str]:
    """A dictionary from ``plural:singular plural:singular``."""
    return dict(pair.split(":") for pair in text.split())


ENDING_IN_S = _words(
    "abacus aegis afterwards aids alas alias alumnus always apparatus arras as asbestos atlas"
    " axis backwards basis bayes besides bias bios bonus bus cactus calculus campus canvas caries"
    " census chaos charles chorus christmas circus citrus colossus consensus corpus cosmos crocus"
    " davis dbms debris diabetes discus does downwards ethos facies fetus focus forwards fungus"
    " gas genius genus gibbs goes gus has headquarters herpes hers hiatus hippocampus his humus"
    " innings inwards iris its james jones keras kudos lens les lewis locus lotus lupus lyras mars"
    " means measles mers minus modulus mucus mumps news nexus nucleus octopus odds onwards opus"
    " ours ourselves outwards pancreas pandas papyrus paris pathos perhaps plexus plus prospectus"
    " pus rabies radius rhombus sans sars scabies series shambles sinus sometimes species status"
    " stimulus stokes stylus summons surplus sus syllabus sys terminus tetanus texas thalamus"
    " thanks theirs themselves thesaurus this thrombus thus torus towards typhus unless upwards"
    " uterus venus versus virus walrus was whereas williams yes yours yourselves"
    # Acronyms, which rules have in lower case too.
    " aws bss cbs cos css dns dos dss ems gis gms gnss gps hms https iis ims ios lns mas"
    " mds mms nas nms oas ods pbs pls pms pos qos ras rms ros rss sas sbs sms sos sps sts tls tms"
    " tps tss uss wms xss"
)
"""Words that end in s and are no plurals."""

_PLURAL_ICS = _words(
    "antibiotics characteristics clinics comics critics cynics demographics epics epidemics fabrics"
    " heuristics metrics mosaics pandemics picnics relics rubrics skeptics statistics tactics"
    " topics"
)
"""Plurals in -ics; the others name a field, which is not what their adjective says (genetics)."""

_IRREGULAR = _pairs(
    "aches:ache addenda:addendum algae:alga alumni:alumnus analyses:analysis antennae:antenna"
    " apis:api appendices:appendix automata:automaton avalanches:avalanche axes:axis"
    " bacteria:bacterium buses:bus busses:bus caches:cache cacti:cactus calculi:calculus"
    " calories:calorie calves:calf catalyses:catalysis children:child cliches:cliche"
    " cookies:cookie corpora:corpus cortices:cortex cpus:cpu crises:crisis criteria:criterion"
    " diagnoses:diagnosis dice:die echoes:echo elves:elf emojis:emoji emphases:emphasis"
    " equilibria:equilibrium errata:erratum extrema:extremum feet:foot foci:focus formulae:formula"
    " fungi:fungus ganglia:ganglion gases:gas geese:goose genera:genus genies:genie gpus:gpu"
    " gurus:guru halves:half headaches:headache helices:helix heroes:hero hippocampi:hippocampus"
    " hoodies:hoodie hooves:hoof hypotheses:hypothesis indices:index knives:knife lacunae:lacuna"
    " larvae:larva leaves:leaf lenses:lens lies:lie lives:life loaves:loaf loci:locus"
    " matrices:matrix maxima:maximum men:man menus:menu metastases:metastasis mice:mouse"
    " minima:minimum moduli:modulus momenta:momentum mosquitoes:mosquito movies:movie"
    " nebulae:nebula neuroses:neurosis niches:niche npus:npu nuclei:nucleus oases:oasis"
    " optima:optimum parentheses:parenthesis phenomena:phenomenon pies:pie polyhedra:polyhedron"
    " potatoes:potato prairies:prairie prognoses:prognosis prostheses:prosthesis psyches:psyche"
    " psychoses:psychosis quanta:quantum quizzes:quiz rabbis:rabbi radii:radius rookies:rookie"
    " scarves:scarf schemata:schema selfies:selfie septa:septum shelves:shelf simplices:simplex"
    " skis:ski spectra:spectrum stenoses:stenosis stigmata:stigma stimuli:stimulus strata:stratum"
    " supernovae:supernova syllabi:syllabus symposia:symposium synopses:synopsis taxis:taxi"
    " teeth:tooth theses:thesis thieves:thief ties:tie tomatoes:tomato tori:torus"
    " tornadoes:tornado tpus:tpu vertebrae:vertebra vertices:vertex vetoes:veto volcanoes:volcano"
    " vortices:vortex wives:wife wolves:wolf women:woman zombies:zombie"
)

_KNOWN = ENDING_IN_S.union(_IRREGULAR)
_LONGEST_ACRONYM = 4  # letters of DNS, AIDS and LLMS; RESULTS is a word in capitals
_SHORTEST_PLURAL = 4  # letters: was, gas and its are none


def singular(word: str) -> str:
    """An English word in lower case and in the singular.

    Case tells what is a plural among short acronyms: ``LMs`` is one, ``DNS`` and ``SaaS`` are not.
    """
    lower = word.casefold()
    if lower[-1:] != "s" or len(lower) < 3 or lower in _KNOWN:  # noqa: PLR2004
        return _IRREGULAR.get(lower, lower)
    before = word[-2]
    if word[-1] == "s" and (before.isupper() or (before.isdigit() and word[0].isalpha())):
        return lower[:-1]
    acronym = word[-1] == "S" and not (word.isupper() and len(word) > _LONGEST_ACRONYM)
    return lower if acronym or len(lower) < _SHORTEST_PLURAL else _without_s(lower)


def _without_s(word: str) -> str:
    """The singular of a word that ends in s, has four letters or more, and is in no list."""
    match word[-3:]:
        case "ies":
            end = (1, "") if len(word) == _SHORTEST_PLURAL else (3, "y")
        case "ics":
            end = (int(word in _PLURAL_ICS), "")
        case "ses" if word.endswith(("yses", "theses")):
            end = (2, "is")
        case "ses":
            end = (2 if word[:-2] in ENDING_IN_S or word[-4] == "s" else 1, "")
        case "hes":
            end = (2 if word[-4] in "cs" else 1, "")
        case "xes":
            end = (2, "")
        case _:
            end = (int(word[-2] not in "sui"), "")
    return word[: len(word) - end[0]] + end[1]
