"""Images, drawn: before and after, the mask, the correlation map, mean and count."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.report.colour import grey
from maskreg.report.data import BeforeAfter, Mean, PeakMap
from maskreg.report.panel import brightness_panel, contrast, difference_panel, symmetric_limit
from maskreg.report.style import INK, WIDGETS, difference_colours, picture_colours, plain

MASK_RED = "#e3002b"

BLINK_MS = 500

# room around an image, px on the screen whatever its size, so that what is left for it can be told
_LEFT, _RIGHT, _ABOVE_AND_BELOW = 5, 30, 30
_LEFT_OF_AXIS, _RIGHT_OF_BAR, _ABOVE_AND_BELOW_AXIS = 62, 90, 69

_SHOW = """
const shown = cb_obj.active;
clearInterval(window.maskreg_blinking);
const show = (index) => images.forEach((image, place) => { image.visible = place == index; });
show(Math.min(shown, 2));
if (shown > 2) {
    let turn = 0;
    window.maskreg_blinking = setInterval(() => show((turn = 1 - turn) ? shown - 2 : 0), period);
}
"""
"""Of three images show one, or two in turns: all the JavaScript there is in a report."""


def before_after_plots(pair: BeforeAfter) -> list[Any]:
    """Return the blinking picture, its buttons, and both differences on one symmetric scale."""
    from bokeh.models import LinearColorMapper

    low, high = contrast([pair.reference, pair.before])
    differences = [pair.before - pair.reference, pair.after - pair.reference]
    limit = symmetric_limit(differences)
    mapper = LinearColorMapper(palette=difference_colours(), low=-limit, high=limit)
    before, after = (
        _with_bar(_picture(difference_panel(difference, limit), title), mapper)
        for difference, title in zip(
            differences, ("Before: frame minus reference", "After: frame minus reference"), strict=True
        )
    )
    images = [brightness_panel(image, low, high) for image in (pair.reference, pair.before, pair.after)]
    blink, buttons = _blinking(images, before)
    after.x_range, after.y_range = before.x_range, before.y_range
    return [blink, buttons, before, after]


def mask_plot(unmasked: NDArray[np.float64], masked: NDArray[np.float64], title: str) -> Any:
    """Return the reference in grey with what the mask ignores in red."""
    from bokeh.models import LinearColorMapper

    low, high = contrast([unmasked])
    part = np.sqrt(np.clip((np.nan_to_num(unmasked, nan=low) - low) / ((high - low) or 1.0), 0, 1))
    figure = _picture(grey((255 * part).astype(np.uint8)), title)
    ignored = np.isnan(masked).astype(np.uint8)
    figure.image(
        [ignored],
        **_extent(ignored.shape),
        color_mapper=LinearColorMapper(palette=["#00000000", f"{MASK_RED}8c"], low=0, high=1),
    )
    return figure


def peak_plot(peak: PeakMap) -> Any:
    """Return the masked NCC around the chosen place, which is marked."""
    from bokeh.models import HoverTool, LinearColorMapper
    from bokeh.palettes import Cividis256

    rows, cols = peak.ncc.shape
    mapper = LinearColorMapper(palette=Cividis256, nan_color="#00000000")
    labels = ("column shift, px", "row shift, px")
    figure = _figure("Masked NCC around the place", (rows, cols), *labels)
    top, left = peak.first[0] - 0.5, peak.first[1] - 0.5
    figure.x_range.update(start=left, end=left + cols)
    figure.y_range.update(start=top + rows, end=top)
    image = figure.image([peak.ncc.astype(np.float32)], x=left, y=top, dw=cols, dh=rows, color_mapper=mapper)
    for colour, width in (("#000000", 4), ("#ffffff", 2)):  # one of both is seen on any ground
        figure.scatter(
            [peak.shift[1]],
            [peak.shift[0]],
            marker="circle_cross",
            size=16,
            fill_alpha=0,
            line_color=colour,
            line_width=width,
        )
    figure.add_tools(HoverTool(renderers=[image], tooltips=[("shift", "$y{0}, $x{0} px"), ("NCC", "@image")]))
    return plain(_with_bar(figure, mapper))


def mean_plots(mean: Mean) -> list[Any]:
    """Return masked mean and count map, moving together."""
    from bokeh.models import LinearColorMapper
    from bokeh.palettes import Cividis256

    low, high = contrast([mean.mean])
    first = _picture(brightness_panel(mean.mean, low, high), mean.title)
    rows, cols = mean.count.shape
    mapper = LinearColorMapper(palette=Cividis256, low=0, high=max(1.0, float(mean.count.max())))
    second = _figure("Frames that are valid at each pixel", (rows, cols))
    second.x_range, second.y_range = first.x_range, first.y_range
    second.image([mean.count.astype(np.uint16)], **_extent(mean.count.shape), color_mapper=mapper)
    return [first, plain(_with_bar(second, mapper))]


def _blinking(images: list[NDArray[np.uint8]], beside: Any) -> tuple[Any, Any]:
    from bokeh.models import CustomJS, RadioButtonGroup

    figure = _picture(images[0], "Reference, frame before, frame after")
    figure.x_range, figure.y_range = beside.x_range, beside.y_range
    renderers = [figure.renderers[0]]
    renderers += [_draw(figure, image, visible=False) for image in images[1:]]
    labels = ["Reference", "Before", "After", "Blink before", "Blink after"]
    buttons = RadioButtonGroup(
        labels=labels, active=0, sizing_mode="stretch_width", stylesheets=[WIDGETS], name="blink"
    )
    code = CustomJS(args={"images": renderers, "period": BLINK_MS}, code=_SHOW)
    buttons.js_on_change("active", code)
    return figure, buttons


def _picture(panel: NDArray[np.uint8], title: str) -> Any:
    """Return a figure of one image of palette indices."""
    figure = plain(_figure(title, panel.shape))
    _draw(figure, panel)
    return figure


def _draw(figure: Any, panel: NDArray[np.uint8], *, visible: bool = True) -> Any:
    from bokeh.models import LinearColorMapper

    mapper = LinearColorMapper(palette=picture_colours(), low=0, high=255)
    return figure.image([panel], **_extent(panel.shape), color_mapper=mapper, visible=visible)


def _figure(title: str, shape: tuple[int, int], x_label: str = "", y_label: str = "") -> Any:
    """Return a figure for an image of a shape, drawn in a container of the page's style."""
    from bokeh.models import Range1d
    from bokeh.plotting import figure

    rows, cols = shape
    made = figure(
        title=title,
        min_border_left=_LEFT_OF_AXIS if y_label else _LEFT,
        sizing_mode="stretch_width",
        x_range=Range1d(-0.5, cols - 0.5),
        y_range=Range1d(rows - 0.5, -0.5),
        x_axis_label=x_label,
        y_axis_label=y_label,
        tools="pan,wheel_zoom,box_zoom,reset",
    )
    made.grid.visible = False
    made.axis.visible = bool(x_label)
    return _with_square_pixels(made, _RIGHT)


def _with_square_pixels(figure: Any, right: int) -> Any:
    """Give the image of a figure `right` px of room, and square pixels however wide the figure is drawn.

    bokeh's own ways keep the shape of the whole figure; a colour bar beside the image would squeeze
    it, and rings would look like ellipses.
    """
    rows, cols = (abs(axis.end - axis.start) for axis in (figure.y_range, figure.x_range))
    tall = min(max(rows / cols, 0.4), 1.6)
    beside = figure.min_border_left + right
    above_and_below = _ABOVE_AND_BELOW_AXIS if figure.axis[0].visible else _ABOVE_AND_BELOW
    figure.min_border_right = right
    figure.styles = {"height": f"calc({tall:.5f} * (100cqw - {beside}px) + {above_and_below}px)"}
    return figure


def _extent(shape: tuple[int, ...]) -> dict[str, float]:
    """Return where an image lies: whole numbers are the centres of pixels, row 0 is on top."""
    return {"x": -0.5, "y": -0.5, "dw": shape[1], "dh": shape[0]}


def _with_bar(figure: Any, mapper: Any) -> Any:
    """Put the scale of colours beside the image of a figure."""
    from bokeh.models import ColorBar

    bar = ColorBar(
        color_mapper=mapper,
        width=10,
        padding=4,
        background_fill_alpha=0,
        major_label_text_color=INK,
        major_label_text_font_size="11px",
    )
    figure.add_layout(bar, "right")
    return _with_square_pixels(figure, _RIGHT_OF_BAR)
