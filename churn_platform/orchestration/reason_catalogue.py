"""How reasons are told in a language: the texts of the features' contracts, the families and the words around them."""

from functools import cache

from churn_platform.core.bgnbd_scorer import BGNBD
from churn_platform.core.reason_words import REASON_WORDS, Language
from churn_platform.core.reasons import Catalogue, Family, ReasonTemplate
from churn_platform.orchestration.feature_tables import feature_columns
from churn_platform.sql.library import default_library

# The BG/NBD knows nothing but the number and the timing of purchases.
BGNBD_FAMILY = "rhythm"


@cache
def reason_catalogue(language: Language) -> Catalogue:
    """Every feature that a model may use, and the BG/NBD's part."""
    words = REASON_WORDS[language]
    families = {
        code: Family(code, found.name_in(code, language), found.actionable)
        for code, found in default_library().families.items()
    }
    templates = {
        column.name: ReasonTemplate(families[column.family], column.reason_in(language), column.unit)
        for column in feature_columns()
        if column.family and column.reason
    }
    templates[BGNBD] = ReasonTemplate(families[BGNBD_FAMILY], words.purchase_pattern)
    return Catalogue(templates, words)
