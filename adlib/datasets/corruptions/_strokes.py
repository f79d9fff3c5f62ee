"""Lines drawn into pictures, a batch at a time: for each pixel how far it is from the line, above or below.

Shapes and constants are those of MNIST-C (Mu and Gilmer, 2019), whose code is google-research/mnist-c.

Taught in :doc:`/book/datasets/corruptions`.
"""

from __future__ import annotations

import torch
from torch import Tensor

REACH = 2.3  # pixels above and below a line at which its grey has gone
STEP = 2.0  # half the length of a tooth of the zigzag, and its height, in pixels


def segment(shape: tuple[int, int], start: tuple[Tensor, Tensor], end: tuple[Tensor, Tensor]) -> Tensor:
    r"""A straight stroke in each picture.

    .. math:: g_{uv} = \max\Big(0,\; 1 + \ln\big(1 - |u - r(v)| / 2.3\big)\Big)

    with :math:`r(v)` the row of the line in column :math:`v`: the distance is taken along the column, not across the
    line. Columns from that of the start, rounded down, to that of the end are drawn.

    shape: (H, W). start, end: columns and rows, (N,) each, in pixels; an end not to the right of its start draws
    nothing. Returns (N, H, W) in [0, 1].
    """
    (left, top), (right, bottom) = start, end
    rows, columns = (torch.arange(side, dtype=left.dtype, device=left.device) for side in shape)
    # The share of the way first: a slope of its own would overflow for a stroke of almost no width
    share = (columns - left[:, None]) / torch.where(right > left, right - left, 1)[:, None]
    line = share * (bottom - top)[:, None] + top[:, None]
    distance = (rows[None, :, None] - line[:, None, :]).abs().clamp(max=REACH)
    grey = (1 + torch.log1p(-distance / REACH)).clamp(min=0)
    drawn = (columns >= left[:, None].floor()) & (columns < right[:, None].ceil()) & (right > left)[:, None]
    return torch.where(drawn[:, None, :], grey, 0)


def dotted_line(shape: tuple[int, int], left: Tensor, right: Tensor) -> Tensor:
    """A line across each picture of which two columns are left out, two drawn, and so on.

    shape: (H, W). left, right: (N,) rows in the first and the last column. Returns (N, H, W) in [0, 1].
    """
    ends = torch.zeros_like(left), torch.full_like(right, shape[1] - 1)
    dots = torch.arange(shape[1], device=left.device) // 2 % 2
    return segment(shape, (ends[0], left), (ends[1], right)) * dots


def zigzag(shape: tuple[int, int], left: Tensor, right: Tensor) -> Tensor:
    r"""A zigzag across each picture, from column 2 to column W - 3.

    Along the line from start to end, of length :math:`d`, the teeth lie at 2, 6, 10, ... pixels and 2 pixels to either
    side in turn. The last stroke goes back to near the line, and ends :math:`1 / (d - 4 \lfloor d / 4 \rfloor)` pixels
    off it, at most 2.

    shape: (H, W). left, right: (N,) rows of start and end. Returns (N, H, W) in [0, 1].
    """
    first, last = 2, shape[1] - 3
    angle = torch.atan((right - left) / (last - first))
    length = (last - first) / angle.cos()
    teeth = ((length - STEP) / (2 * STEP)).floor() + 1

    def point(i: int) -> tuple[Tensor, Tensor]:
        """Column and row of the start, the teeth from 1 on, then the end, which is repeated where teeth are fewer."""
        if i == 0:
            along = aside = torch.zeros_like(length)
        else:
            rest = length - 2 * STEP * (length / (2 * STEP)).floor()
            end = torch.where(teeth % 2 == 1, STEP, -STEP) / (2 * rest).clamp(min=1)  # 2 rest is 6 to 7 at 28 px
            along = torch.where(i <= teeth, (2 * i - 1) * STEP, length)
            aside = torch.where(i <= teeth, STEP if i % 2 else -STEP, end)
        return (
            first + along * angle.cos() - aside * angle.sin(),
            left + along * angle.sin() + aside * angle.cos(),
        )

    grey = left.new_zeros(len(left), *shape)
    for i in range(int(teeth.max()) + 1):
        grey += segment(shape, point(i), point(i + 1))
    return grey.clamp(max=1)
