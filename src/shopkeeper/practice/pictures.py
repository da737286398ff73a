"""Draws the practice shop's products: simple shapes per type, in the colour of the item, as small WebP files.

A drawing is a line of shapes on a 100 x 100 grid, separated by ``;``. Each is a tone, a shape and numbers:
``r x y w h`` rectangle, ``q x y w h radius`` rounded, ``o x y w h`` ellipse, ``p x,y ...`` polygon, ``l x,y ... width``
line, ``a x y w h from to width`` arc. Tones: ``b`` the item's colour, ``d`` darker, ``l`` lighter, ``k`` near-black,
``w`` near-white, ``m`` metal, ``n`` wood, ``g`` leaf green.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from shopkeeper import progress
from shopkeeper.practice.goods import Goods
from shopkeeper.practice.vocabulary import Vocabulary

SIDE = 224
_SUPER = 2
RGB = tuple[int, int, int]
_FIXED: dict[str, RGB] = {
    "k": (48, 48, 54), "w": (246, 244, 239), "m": (168, 172, 180), "n": (165, 124, 84), "g": (104, 148, 92),
}  # fmt: skip


def picture(words: Vocabulary, goods: Goods, row: int, seed: int) -> bytes:
    """The picture of one item, 224 x 224 WebP, the same bytes for the same seed."""
    small = _light(scene(words, goods, row, seed), np.random.default_rng([seed, 8, int(goods.group[row])]))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=86, method=2)
    return file.getvalue()


def scene(
    words: Vocabulary, goods: Goods, row: int, seed: int, *, zoom: float = 1.0, across: float = 0.0
) -> Image.Image:
    """One item before its backdrop, 224 x 224.

    Args:
        words: Shapes and colours.
        goods: All items.
        row: Which of them.
        seed: Of pose and light.
        zoom: How much closer the camera stands.
        across: How far the item stands to the right, in sides of the picture.
    """
    rng = np.random.default_rng([seed, 6, row])
    # Variants of one product share pose and backdrop; their colour tells them apart.
    group = np.random.default_rng([seed, 7, int(goods.group[row])])
    base = _base(words, goods, row, group)
    backdrop = _mix(base, (255, 255, 255), 0.86) if group.random() < 0.6 else _greys(group)
    if min(base) > 205:  # pale things stand out on a darker ground
        backdrop = _mix(backdrop, (96, 104, 118), 0.38)
    size = SIDE * _SUPER
    canvas = Image.new("RGB", (size, size), backdrop)
    _dress(canvas, goods, row, rng)
    pen = ImageDraw.Draw(canvas)
    scale = float(group.uniform(0.74, 0.92)) * size / 100 * zoom
    left, top = ((size - 100 * scale) / 2 + group.normal(0.0, 5.0, 2) + (across * size, 0.0)).tolist()
    pen.ellipse(
        (left + 12 * scale, top + 84 * scale, left + 88 * scale, top + 96 * scale), fill=_mix(backdrop, (0, 0, 0), 0.08)
    )
    tones = {**_FIXED, "b": base, "d": _mix(base, (0, 0, 0), 0.28), "l": _mix(base, (255, 255, 255), 0.32)}
    flip = bool(group.random() < 0.5)
    for tone, shape, numbers in _shapes(words.types[int(goods.type[row])].draw):
        _stroke(pen, shape, _placed(shape, numbers, left, top, scale, flip, size), tones[tone], scale)
    return canvas.resize((SIDE, SIDE), Image.Resampling.BOX)


def draw_all(words: Vocabulary, goods: Goods, media: Path, seed: int) -> None:
    """Write every item's picture to ``media/practice/<id>.webp``; pictures that exist are written anew."""
    folder = media / "practice"
    folder.mkdir(parents=True, exist_ok=True)
    for row in progress.track(range(len(goods.ids)), "practice: pictures", len(goods.ids), "pictures"):
        (folder / f"{goods.ids[row]}.webp").write_bytes(picture(words, goods, row, seed))


def _base(words: Vocabulary, goods: Goods, row: int, rng: np.random.Generator) -> RGB:
    code = int(goods.colour[row])
    rgb = words.colours[code].rgb if code >= 0 else _muted(rng)
    shade = rng.normal(0.0, 6.0, 3)
    return _rgb(np.array(rgb) + shade)


def _muted(rng: np.random.Generator) -> RGB:
    middle = rng.uniform(90, 180)
    return _rgb(middle + rng.normal(0.0, 24.0, 3))


def _greys(rng: np.random.Generator) -> RGB:
    level = rng.uniform(226, 250)
    return _rgb(np.array([level, level - 2, level - 5]))


def _light(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Light from one side and a little grain, as a camera would have them."""
    angle = rng.uniform(0.0, 2 * np.pi)
    line = np.linspace(-7.0, 7.0, SIDE, dtype=np.float32)
    slope = np.float32(np.cos(angle)) * line[None, :] + np.float32(np.sin(angle)) * line[:, None]
    grain = np.float32(1.6) * rng.standard_normal((SIDE, SIDE), dtype=np.float32)
    pixels = np.asarray(image).astype(np.float32) + (slope + grain)[:, :, None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _rgb(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> RGB:
    red, green, blue = np.clip(values, 0, 255).astype(int).tolist()
    return red, green, blue


def _mix(colour: RGB, other: RGB, share: float) -> RGB:
    red, green, blue = (round(a * (1 - share) + b * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _shapes(draw: str) -> Iterator[tuple[str, str, list[float]]]:
    for part in draw.split(";"):
        tone, shape, *numbers = part.replace(",", " ").split()
        yield tone, shape, [float(number) for number in numbers]


def _placed(
    shape: str, numbers: list[float], left: float, top: float, scale: float, flip: bool, size: int
) -> list[float]:
    """Grid numbers to pixels; widths, radii and angles are left as they are."""

    def across(x: float) -> float:
        at = left + x * scale
        return size - at if flip else at

    if shape in "roqa":
        x, y, width, height, *rest = numbers
        x0, x1 = sorted((across(x), across(x + width)))
        if flip and shape == "a":
            rest = [180 - rest[1], 180 - rest[0], rest[2]]
        return [x0, top + y * scale, x1, top + (y + height) * scale, *rest]
    points = numbers[:-1] if shape == "l" else numbers
    placed = [across(v) if n % 2 == 0 else top + v * scale for n, v in enumerate(points)]
    return [*placed, numbers[-1]] if shape == "l" else placed


def _stroke(pen: ImageDraw.ImageDraw, shape: str, at: list[float], tone: RGB, scale: float) -> None:
    box = (at[0], at[1], at[2], at[3])
    if shape == "r":
        pen.rectangle(box, fill=tone)
    elif shape == "o":
        pen.ellipse(box, fill=tone)
    elif shape == "q":
        pen.rounded_rectangle(box, radius=at[4] * scale, fill=tone)
    elif shape == "a":
        pen.arc(box, at[4], at[5], fill=tone, width=round(at[6] * scale))
    elif shape == "p":
        pen.polygon(at, fill=tone)
    else:
        pen.line(at[:-1], fill=tone, width=max(1, round(at[-1] * scale)), joint="curve")


def _dress(canvas: Image.Image, goods: Goods, row: int, rng: np.random.Generator) -> None:
    """A mark of the style in the backdrop: what pictures show of it is a hint, not a label."""
    hints: dict[str, Callable[[ImageDraw.ImageDraw, int], None]] = {
        "retro": _rays, "rustic": _planks, "industrial": _bricks, "luxury": _glow, "cute": _dots, "sporty": _stripes,
    }  # fmt: skip
    hint = hints.get(goods.facts[row].values.get("style", ""))
    if hint is None or rng.random() < 0.35:
        return
    layer = Image.new("L", canvas.size, 0)
    hint(ImageDraw.Draw(layer), canvas.size[0])
    tint = Image.new("RGB", canvas.size, _greys(rng))
    canvas.paste(Image.blend(canvas, tint, 0.5), mask=layer.point(lambda value: value // 3))


def _rays(pen: ImageDraw.ImageDraw, size: int) -> None:
    for angle in range(0, 360, 30):
        pen.pieslice((-size, -size, 2 * size, 2 * size), angle, angle + 12, fill=160)


def _planks(pen: ImageDraw.ImageDraw, size: int) -> None:
    for y in range(0, size, size // 7):
        pen.line((0, y, size, y), fill=220, width=4)


def _bricks(pen: ImageDraw.ImageDraw, size: int) -> None:
    step = size // 9
    for number, y in enumerate(range(0, size, step)):
        pen.line((0, y, size, y), fill=200, width=3)
        for x in range((number % 2) * step, size, 2 * step):
            pen.line((x, y, x, y + step), fill=200, width=3)


def _glow(pen: ImageDraw.ImageDraw, size: int) -> None:
    pen.ellipse((size * 0.1, size * 0.05, size * 0.9, size * 0.85), fill=110)


def _dots(pen: ImageDraw.ImageDraw, size: int) -> None:
    step = size // 8
    for x in range(step // 2, size, step):
        for y in range(step // 2, size, step):
            pen.ellipse((x - 7, y - 7, x + 7, y + 7), fill=230)


def _stripes(pen: ImageDraw.ImageDraw, size: int) -> None:
    for x in range(-size, size, size // 6):
        pen.line((x, size, x + size, 0), fill=150, width=10)
