"""Disentangled convolution (Kobayashi 2023, "Disentangled convolution for optimizing receptive field")."""

import math
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv import filtered_input
from convrepro.conv.plain import conv2d_like
from convrepro.conv.smoothing import check_envelope_size, gaussian_taps, smooth, smoothing_layers

# Shapes: N batch, C input channels, O output channels, I = C / groups, H W image, K taps.

Order = Literal["env_conv", "conv_env"]


class DisentangledConv2d(nn.Conv2d):
    r"""Convolution of a Gaussian envelope of learned width, one for each channel, and a filter of learned weights.

    Implements Eqs. (2)-(4), :math:`Y_o = \sum_c F_{oc} * (g_{\sigma_c} * X_c)`, or with ``order="conv_env"``
    Eqs. (5) and (6), :math:`Y_o = g_{\sigma_o} * \sum_c F_{oc} * X_c`, by the separable envelope of Eq. (9),
    :math:`g_\sigma[x] = \operatorname{softmax}(-x^2 / 2 \sigma^2)` along the rows, then along the columns, with
    :math:`\sigma^2 = \operatorname{softplus}(\tilde\sigma)`. Where :math:`\sigma \to 0`, this is ``nn.Conv2d``;
    below about 0.07 pixels its taps in float32 are 0, and sigma has no gradient to return by.

    The smoothing costs 2 K C H W multiply-accumulates. A strided 1x1 convolution without padding reads its input
    at every stride-th position only: there alone is it smoothed, with the same result, at 3/8 of the cost where the
    stride is 2 (1/2 along the rows, 1/4 along the columns).

    Args:
        *args: positional arguments of ``nn.Conv2d``.
        envelope_size: :math:`k_g`, taps of the envelope in each direction, in pixels: odd, at least 1. The paper
            trains with 9 (Sec. 3.1).
        inference_size: taps of the envelope in eval mode and in ``to_conv2d()``, with the learned :math:`\sigma`: odd,
            from 1 to ``envelope_size``, which None stands for. The paper shrinks 9 to 3 (Sec. 3.1, Table 1e).
        order: "env_conv" smooths the input, "conv_env" the output. The paper uses the first (Sec. 3.1).
        shared_sigma: one :math:`\sigma` for all channels, the "single" of Table 1d. The paper learns one for each.
        fixed_sigma: :math:`\sigma` in pixels, at least 0, instead of learned ones (Table 1h). 0 is ``nn.Conv2d``.
        **kwargs: keyword arguments of ``nn.Conv2d``.

    Shape:
        ``(N, C, H, W)`` to the shape ``nn.Conv2d`` returns; N may be left out. The parameters are those of
        ``nn.Conv2d`` and, unless fixed, ``sigma_raw``: ``(C,)``, ``(O,)`` with "conv_env", ``(1,)`` if shared.
        What is smoothed must have more than ``envelope_size // 2`` pixels a side where ``padding_mode`` is
        "reflect", and at least so many where it is "circular".

    Raises:
        ValueError: if ``envelope_size`` or ``inference_size`` is even or below 1, the second larger than the first,
            ``order`` is unknown, ``fixed_sigma`` is negative or not
            finite, ``shared_sigma`` is asked for with ``fixed_sigma``, or ``nn.Conv2d`` refuses its arguments.

    Deviations:
        Border: the paper says nothing. Smoothing and filter are two successive convolutions (Fig. 2), and each
        continues its own input by ``padding_mode``: the smoothing so that its output has the size of its input,
        whatever ``padding`` is, the filter by ``padding``. With zeros, the border of the smoothed image is darker.
        The filter is applied as by ``nn.Conv2d``, without the flip of the paper's *; the envelope is symmetric.
        Bias, of which the paper has none: added at the end in both orders.
        ``dilation`` is that of the filter; the envelope is never dilated.
        ``weight`` starts as N(0, 2 / (k^2 I)) (He et al. 2015), as the plain convolutions of the project do; the
        paper's "standard protocol" names nothing. :math:`\tilde\sigma` starts at 0 (Sec. 3), :math:`\sigma` at 0.83.

    Example:
        >>> conv = DisentangledConv2d(3, 8, kernel_size=3, padding=1)
        >>> conv(torch.ones(1, 3, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
        >>> conv.sigma()
        tensor([0.8326, 0.8326, 0.8326], grad_fn=<SqrtBackward0>)
        >>> DisentangledConv2d(3, 8, kernel_size=3, inference_size=3).to_conv2d()[0]
        Conv2d(3, 3, kernel_size=(1, 3), stride=(1, 1), padding=(0, 1), groups=3, bias=False)
    """

    sigma_raw: nn.Parameter | None

    def __init__(
        self,
        *args: Any,
        envelope_size: int = 9,
        inference_size: int | None = None,
        order: Order = "env_conv",
        shared_sigma: bool = False,
        fixed_sigma: float | None = None,
        **kwargs: Any,
    ) -> None:
        check_envelope_size(envelope_size)
        if inference_size is not None and not (inference_size % 2 == 1 and 1 <= inference_size <= envelope_size):
            raise ValueError(
                f"`inference_size` must be odd and lie in 1 .. {envelope_size}, the `envelope_size`, "
                f"got {inference_size}."
            )
        if order not in ("env_conv", "conv_env"):
            raise ValueError(f"`order` must be 'env_conv' or 'conv_env', got {order!r}.")
        if fixed_sigma is not None and not 0 <= fixed_sigma < math.inf:
            raise ValueError(f"`fixed_sigma` must be at least 0 and finite, got {fixed_sigma}.")
        if fixed_sigma is not None and shared_sigma:
            raise ValueError(
                f"`shared_sigma` must be False where `fixed_sigma` is given, got `fixed_sigma` {fixed_sigma}."
            )
        super().__init__(*args, **kwargs)
        self.envelope_size = envelope_size
        self.inference_size = inference_size
        self.order = order
        self.shared_sigma = shared_sigma
        self.fixed_sigma = fixed_sigma
        self.sigma_raw = None
        if fixed_sigma is None:
            self.sigma_raw = nn.Parameter(self.weight.new_zeros(1 if shared_sigma else self._num_smoothed))

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")
        if "sigma_raw" in self._parameters:  # nn.Conv2d resets before there is one
            nn.init.zeros_(cast(nn.Parameter, self.sigma_raw))

    def sigma(self) -> torch.Tensor:
        r""":math:`\sigma` of each smoothed channel, in pixels: ``(C,)``, or ``(O,)`` with "conv_env"."""
        return torch.sqrt(self._variance())

    def taps(self) -> torch.Tensor:
        """The envelope of each smoothed channel in one direction, Eq. (9), as the layer's mode has it: ``(C, K)`` or
        ``(O, K)``.
        """
        return self._taps_of(self.envelope_size) if self.training else self._inference_taps()

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        if self.fixed_sigma == 0:
            return self._filtered(x_NCHW, self.bias)
        taps = self.taps()
        if self.order == "conv_env":
            y_NOHW = smooth(self._filtered(x_NCHW, None), taps, taps, padding_mode=self.padding_mode)
            return y_NOHW if self.bias is None else y_NOHW + self.bias[:, None, None]
        stride = filtered_input.reading_stride(self)
        return filtered_input.convolve(self, smooth(x_NCHW, taps, taps, stride=stride, padding_mode=self.padding_mode))

    @torch.no_grad()
    def to_conv2d(self) -> nn.Conv2d | nn.Sequential:
        """The function of eval mode by plain convolutions: two depth-wise ones and the filter, or the filter alone
        where ``fixed_sigma`` is 0. The weights are copies.
        """
        if self.fixed_sigma == 0:
            return conv2d_like(self, self.weight, self.bias)
        taps = self._inference_taps()
        if self.order == "conv_env":
            layers = smoothing_layers(taps, taps, padding_mode=self.padding_mode, bias_C=self.bias)
            return nn.Sequential(conv2d_like(self, self.weight, None), *layers)
        stride = filtered_input.reading_stride(self)
        layers = smoothing_layers(taps, taps, stride=stride, padding_mode=self.padding_mode)
        return nn.Sequential(*layers, filtered_input.plain_conv2d(self))

    def extra_repr(self) -> str:
        shown: list[str] = [super().extra_repr()]  # type: ignore[no-untyped-call]
        shown += [f"envelope_size={self.envelope_size}, order={self.order!r}"]
        shown += [] if self.inference_size is None else [f"inference_size={self.inference_size}"]
        shown += ["shared_sigma=True"] if self.shared_sigma else []
        shown += [] if self.fixed_sigma is None else [f"fixed_sigma={self.fixed_sigma}"]
        return ", ".join(shown)

    def _filtered(self, x_NCHW: torch.Tensor, bias_O: torch.Tensor | None) -> torch.Tensor:
        y_NOHW: torch.Tensor = self._conv_forward(x_NCHW, self.weight, bias_O)
        return y_NOHW

    def _inference_taps(self) -> torch.Tensor:
        return self._taps_of(self.envelope_size if self.inference_size is None else self.inference_size)

    def _taps_of(self, envelope_size: int) -> torch.Tensor:
        return gaussian_taps(self._variance(), envelope_size)

    @property
    def _num_smoothed(self) -> int:
        return self.in_channels if self.order == "env_conv" else self.out_channels

    def _variance(self) -> torch.Tensor:
        if self.sigma_raw is None:
            return self.weight.new_full((self._num_smoothed,), cast(float, self.fixed_sigma) ** 2)
        return F.softplus(self.sigma_raw).expand(self._num_smoothed)
