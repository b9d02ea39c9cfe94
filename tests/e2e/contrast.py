"""How well a text can be read on its ground (WCAG 2.2)."""

__all__ = ["contrast", "luminance"]


def contrast(one: str, other: str) -> float:
    """Give the contrast ratio of two colours, `rgb(r, g, b)`."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Give the relative luminance of `rgb(r, g, b)` (WCAG 2.2)."""
    numbers = colour.removeprefix("rgb(").removesuffix(")").split(",")
    parts = [
        n / 12.92 if n <= 0.04045 else ((n + 0.055) / 1.055) ** 2.4
        for n in (int(number) / 255 for number in numbers)
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
