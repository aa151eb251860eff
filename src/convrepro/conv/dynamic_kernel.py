"""Dynamic-kernel convolution (Liu, Chao, Lin, Zhou, Shang 2021, Neurocomputing 422, pp. 95-108)."""

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv.plain import conv2d_with

# Shapes: N batch, C input channels, O output channels, H W image, K = kh kw kernel positions, h hidden,
#         P pieces, M points, L = P M latent positions (all points of piece 1, then of piece 2), X = L O.

InitMode = Literal["fan_in", "fan_out"]


def dynamic_kernels(
    w_hat_OCh: torch.Tensor,
    amplitude_POhK: torch.Tensor,
    phase_POhK: torch.Tensor,
    offset_POhK: torch.Tensor,
    points: int,
) -> torch.Tensor:
    r"""Kernels at every latent position, Eqs. (13) and (14): ``(O, L, C, K)``.

    :math:`w_j(c, a) = \hat w(c) [\sqrt 2\, \hat g_j \odot \sin(a + b_j) + \hat d_j]` at the angles
    :math:`a_m = -\pi + (2m - 1) \pi / M` (Sec. 3.3).
    """
    norm_PO1K = (amplitude_POhK.square() + offset_POhK.square()).sum(dim=2, keepdim=True).sqrt()
    last = math.pi - math.pi / points
    angles_M = torch.linspace(-last, last, points, dtype=phase_POhK.dtype, device=phase_POhK.device)
    sine_PMOhK = torch.sin(angles_M.view(-1, 1, 1, 1) + phase_POhK.unsqueeze(1))
    scale_PMOhK = (math.sqrt(2) * amplitude_POhK / norm_PO1K).unsqueeze(1)
    transform_PMOhK = scale_PMOhK * sine_PMOhK + (offset_POhK / norm_PO1K).unsqueeze(1)
    transform_OhLK = transform_PMOhK.flatten(0, 1).permute(1, 2, 0, 3)
    kernels_OCLK = torch.bmm(w_hat_OCh, transform_OhLK.flatten(2))
    return torch.unflatten(kernels_OCLK, -1, transform_OhLK.shape[2:]).transpose(1, 2)


class DynamicKernelConv2d(nn.Module):
    r"""Convolution whose kernel moves along a latent axis and so makes L maps of each output channel.

    Implements Algorithm 1 of the paper with the normalisation of Eqs. (13) and (14) in place of Eq. (3).
    At kernel position j, an output channel's kernel is
    :math:`w_j(c, a) = \sum_i \hat w_{ci} [\sqrt 2\, \hat g_{ij} \sin(a + b_{ij}) + \hat d_{ij}]`, where
    :math:`\hat g_j = g_j / \sqrt{|g_j|^2 + |d_j|^2}` and :math:`\hat d_j` likewise. It is sampled at
    :math:`a_m = -\pi + (2m - 1) \pi / M`, m = 1 .. M (Sec. 3.3), which are the
    :math:`-2\pi/3, 0, 2\pi/3` of Sec. 3.4 for M = 3, and this for every piece, that is, every set (g, b, d).
    The response is linear in the kernel, so that all L = pieces x points maps are one ordinary convolution
    with O L kernels; Algorithm 2 is the same arithmetic in another order.

    With ``amplitude = 0`` all latent positions of a piece are the same plain convolution, with the kernels
    :math:`\hat w \hat d`.

    Initialisation (Sec. 3.8), with :math:`k^2` kernel positions: amplitude and offset
    :math:`\sim N(0, 1/(h k^2))`, phase :math:`\sim U(-\pi, \pi)`, ``w_hat`` :math:`\sim N(0, 2/(k^2 C))` for
    "fan_in" and :math:`N(0, 2/(k^2 O L))` for "fan_out". Then, at every a, the kernel has the variance of
    ``w_hat``.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, padding_mode, device, dtype: as in
            ``nn.Conv2d``.
        groups: must be 1.
        bias: whether each output channel has a bias, which its latent positions share and which starts at 0.
        hidden: sine curves h that are mixed into a kernel, at least 1. The paper uses 4 (Sec. 3.1).
        pieces: sets of sine curves, at least 1. The paper uses 2 (Sec. 3.4).
        points: angles M at which each piece is sampled, at least 1. The paper uses 3 (Sec. 3.4).
        init_mode: "fan_in" keeps the variance of activations (Sec. 3.8.1), "fan_out" that of gradients
            (Sec. 3.8.2).

    Shape:
        ``(N, C, H, W)`` to ``(N, O, L, H', W')``, with H' and W' as in ``nn.Conv2d``; N may be left out.
        The latent axis holds all points of piece 1, then those of piece 2. The parameters are ``w_hat``
        ``(O, C, h)`` and ``amplitude``, ``phase``, ``offset``, each ``(P, O, h, kh kw)``.

    Raises:
        ValueError: if ``groups`` is not 1, if ``hidden``, ``pieces`` or ``points`` is below 1, if
            ``init_mode`` is unknown, or if ``nn.Conv2d`` refuses its arguments.

    Deviations:
        The paper's convolution has no bias; ``bias=True`` adds one.
        Sec. 3.6 counts c^2 h + 3 h k^2 parameters and so leaves out that every piece and output channel has
        sine curves of its own; with that reading the networks have the sizes printed in Tables 6 and 10.
        The paper does not say which of its two initialisations it used; "fan_in" is our choice.

    Example:
        >>> conv = DynamicKernelConv2d(3, 8, kernel_size=3, padding=1, pieces=2, points=3)
        >>> conv(torch.ones(1, 3, 5, 5)).shape
        torch.Size([1, 8, 6, 5, 5])
        >>> conv.to_conv2d()
        Conv2d(3, 48, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: str | int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = False,
        padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        hidden: int = 4,
        pieces: int = 2,
        points: int = 3,
        init_mode: InitMode = "fan_in",
    ) -> None:
        super().__init__()
        if groups != 1:
            raise ValueError(
                f"`groups` must be 1, got {groups}: a dynamic kernel's sine curves serve all input channels."
            )
        for name, count in (("hidden", hidden), ("pieces", pieces), ("points", points)):
            if count < 1:
                raise ValueError(f"`{name}` must be at least 1, got {count}.")
        if init_mode not in ("fan_in", "fan_out"):
            raise ValueError(f"`init_mode` must be 'fan_in' or 'fan_out', got {init_mode!r}.")
        # nn.Conv2d checks and completes the geometry; on the meta device it holds no weights.
        geometry = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, dilation, 1, False, padding_mode, "meta"
        )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride = geometry.kernel_size, geometry.stride
        self.padding, self.dilation = geometry.padding, geometry.dilation
        self.padding_mode = padding_mode
        self._border_widths = geometry._reversed_padding_repeated_twice
        self.hidden, self.pieces, self.points = hidden, pieces, points
        self.init_mode = init_mode

        curves = (pieces, out_channels, hidden, math.prod(self.kernel_size))
        self.w_hat = nn.Parameter(torch.empty(out_channels, in_channels, hidden, device=device, dtype=dtype))
        self.amplitude = nn.Parameter(torch.empty(curves, device=device, dtype=dtype))
        self.phase = nn.Parameter(torch.empty(curves, device=device, dtype=dtype))
        self.offset = nn.Parameter(torch.empty(curves, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(out_channels, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        positions = math.prod(self.kernel_size)
        fan_out = positions * self.out_channels * self.num_latent
        fan = positions * self.in_channels if self.init_mode == "fan_in" else fan_out
        nn.init.normal_(self.w_hat, std=math.sqrt(2 / fan))
        nn.init.normal_(self.amplitude, std=math.sqrt(1 / (self.hidden * positions)))
        nn.init.normal_(self.offset, std=math.sqrt(1 / (self.hidden * positions)))
        nn.init.uniform_(self.phase, -math.pi, math.pi)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @staticmethod
    def count_latent(*, pieces: int, points: int, **_: Any) -> int:
        """Latent positions L of an operator that is built with these keyword arguments."""
        return pieces * points

    @property
    def num_latent(self) -> int:
        """Latent positions L."""
        return self.count_latent(pieces=self.pieces, points=self.points)

    def kernels(self) -> torch.Tensor:
        """The kernels at every latent position: ``(O, L, C, kh, kw)``."""
        kernels_OLCK = dynamic_kernels(self.w_hat, self.amplitude, self.phase, self.offset, self.points)
        return torch.unflatten(kernels_OLCK, -1, self.kernel_size)

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        # Latent-major channels: networks that fold L into the batch then need a view only.
        weight_XCkk = self.kernels().transpose(0, 1).flatten(0, 1)
        bias_X = None if self.bias is None else self.bias.repeat(self.num_latent)
        if self.padding_mode == "zeros":
            y_NXHW = F.conv2d(x_NCHW, weight_XCkk, bias_X, self.stride, self.padding, self.dilation)
        else:
            x_NCHW = F.pad(x_NCHW, self._border_widths, mode=self.padding_mode)
            y_NXHW = F.conv2d(x_NCHW, weight_XCkk, bias_X, self.stride, 0, self.dilation)
        # Channels go last to be split, so that gradients, too, keep the memory format.
        y_NHWLO = torch.unflatten(y_NXHW.movedim(-3, -1), -1, (self.num_latent, self.out_channels))
        return y_NHWLO.movedim((-1, -2), (-4, -3))

    @torch.no_grad()
    def to_conv2d(self) -> nn.Conv2d:
        """The same function as a plain convolution; its channel o L + l is latent position l of channel o.

        ``conv.to_conv2d()(x).unflatten(1, (O, L))`` equals ``conv(x)``. The weights are copies.
        """
        geometry = {name: getattr(self, name) for name in ("stride", "padding", "dilation", "padding_mode")}
        bias_X = None if self.bias is None else self.bias.repeat_interleave(self.num_latent)
        return conv2d_with(self.in_channels, self.kernels().flatten(0, 1), bias_X, **geometry)

    def extra_repr(self) -> str:
        shown = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        shown += [f"stride={self.stride}, padding={self.padding!r}"]
        shown += [f"dilation={self.dilation}"] if self.dilation != (1, 1) else []
        shown += [f"bias={self.bias is not None}"]
        shown += [f"padding_mode={self.padding_mode!r}"] if self.padding_mode != "zeros" else []
        shown += [f"hidden={self.hidden}, pieces={self.pieces}, points={self.points}"]
        shown += [f"init_mode={self.init_mode!r}"]
        return ", ".join(shown)
