"""Charts of an evaluation as images that a page holds, drawn without a browser or a network."""

from base64 import b64encode
from collections.abc import Callable, Mapping

import altair as alt
import polars as pl
import vl_convert
from numpy.typing import ArrayLike

from churn_platform.core import curves

WIDTH, HEIGHT = 430, 260
_COLOURS = ["#2f6db3", "#d97706", "#1a7f4b", "#8b5cf6"]
_DIAGONAL = pl.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]})


def evaluation_charts(folds: Mapping[str, pl.DataFrame], words: Mapping[str, str]) -> dict[str, str]:
    """Name → image (a data address of an SVG): roc, gain_curve, lift, separation, reliability and distribution.

    Args:
        folds: date of the fold → one row per customer with churned and probability; the newest first.
        words: titles by key, in the report's language.
    """
    newest = next(iter(folds.values()))
    lines = {
        "roc": _over_folds(folds, curves.roc),
        "gain_curve": _over_folds(folds, curves.gain),
        "reliability": _over_folds(folds, curves.reliability),
        "lift": _over_folds(folds, curves.lift_by_decile),
        "distribution": _over_folds(folds, lambda _, p: curves.distribution(p)),
    }
    parts = curves.separation(newest["churned"], newest["probability"]).unpivot(
        ["churners", "stayers"], index="probability", variable_name="fold", value_name="share"
    )
    separation = parts.with_columns(
        pl.col("fold").replace({"churners": words["churners"], "stayers": words["stayers"]})
    )
    return {
        "roc": _image(
            alt.layer(_diagonal(), _lines(lines["roc"], ("false_positive_rate", "true_positive_rate"), words))
        ),
        "gain_curve": _image(alt.layer(_diagonal(), _lines(lines["gain_curve"], ("contacted", "reached"), words))),
        "lift": _image(_lines(lines["lift"], ("decile", "lift"), words, y_title=words["lift_axis"], dots=True)),
        "separation": _image(_lines(separation, ("probability", "share"), words, y_title=words["separation_axis"])),
        "reliability": _image(alt.layer(_diagonal(), *_reliability(lines["reliability"], words))),
        "distribution": _image(_lines(lines["distribution"], ("probability", "share"), words)),
    }


def effect_chart(effect: pl.DataFrame, title: str, words: Mapping[str, str]) -> str:
    """Image of how a feature's value moves the score; `effect` has columns value and effect."""
    chart = (
        alt.Chart(effect)
        .mark_line(point=True, color=_COLOURS[0])
        .encode(
            x=alt.X("value:Q", title=words["value_axis"], scale=alt.Scale(zero=False)),
            y=alt.Y("effect:Q", title=words["effect_axis"]),
        )
        .properties(title=title)
    )
    return _image(chart, width=300, height=180)


def survival_charts(active: pl.DataFrame, predictions: pl.DataFrame | None, words: Mapping[str, str]) -> dict[str, str]:
    """Name → image: survival_curves, and for each horizon that was tested (its days) its reliability.

    Args:
        active: risk_band, days, active (a mean, null where unknown).
        predictions: fold, horizon_days, churned and probability per customer; None where nothing was tested.
        words: titles by key, in the report's language.
    """
    by_band = active.drop_nulls("active").select(
        pl.format("band_{}", "risk_band").replace_strict(dict(words), return_dtype=pl.String).alias("fold"),
        pl.col("days").alias("survival_days"),
        "active",
    )
    found = {"survival_curves": _image(_lines(by_band, ("survival_days", "active"), words, dots=True))}
    tested = predictions if predictions is not None else pl.DataFrame(schema={"horizon_days": pl.Int32})
    for horizon in sorted(tested["horizon_days"].unique()):
        users = tested.filter(horizon_days=horizon)
        folds = {str(fold): users.filter(fold=fold) for fold in users["fold"].unique().sort(descending=True)}
        points = _over_folds(folds, curves.reliability)
        found[str(horizon)] = _image(alt.layer(_diagonal(), *_reliability(points, words)))
    return found


def _over_folds(
    folds: Mapping[str, pl.DataFrame], curve: Callable[[ArrayLike, ArrayLike], pl.DataFrame]
) -> pl.DataFrame:
    return pl.concat(
        [curve(users["churned"], users["probability"]).with_columns(fold=pl.lit(fold)) for fold, users in folds.items()]
    )


def _lines(
    curve: pl.DataFrame,
    axes: tuple[str, str],
    words: Mapping[str, str],
    *,
    y_title: str | None = None,
    dots: bool = False,
) -> alt.Chart:
    x, y = axes
    chart: alt.Chart = (
        alt.Chart(curve)
        .mark_line(point=dots)
        .encode(
            x=alt.X(f"{x}:Q", title=words[x]),
            y=alt.Y(f"{y}:Q", title=y_title or words[y]),
            order=alt.Order(f"{x}:Q"),
            color=alt.Color("fold:N", title=None, sort=None, scale=alt.Scale(range=_COLOURS)),
        )
    )
    return chart


def _reliability(points: pl.DataFrame, words: Mapping[str, str]) -> tuple[alt.Chart, alt.Chart]:
    base = alt.Chart(points).encode(
        x=alt.X("predicted:Q", title=words["probability"]),
        color=alt.Color("fold:N", title=None, sort=None, scale=alt.Scale(range=_COLOURS)),
    )
    intervals: alt.Chart = base.mark_rule(opacity=0.5).encode(y="lower:Q", y2="upper:Q")
    rates: alt.Chart = base.mark_line(point=True).encode(y=alt.Y("observed:Q", title=words["observed_rate"]))
    return intervals, rates


def _diagonal() -> alt.Chart:
    line: alt.Chart = alt.Chart(_DIAGONAL).mark_line(color="#9aa6b5", strokeDash=[4, 4]).encode(x="x:Q", y="y:Q")
    return line


def _image(chart: alt.Chart | alt.LayerChart | alt.FacetChart, *, width: int = WIDTH, height: int = HEIGHT) -> str:
    sized = chart.properties(width=width, height=height).configure_view(stroke=None)
    drawn: str = vl_convert.vegalite_to_svg(sized.to_dict())
    # as an image and not inline: the ids of several drawings would collide in one page
    return f"data:image/svg+xml;base64,{b64encode(drawn.encode()).decode()}"
