"""Convolution operators, and the factories by which networks make them."""

from convrepro.conv.adaptive_attention import AdaptiveAttentionConv2d
from convrepro.conv.adaptive_kernel import AdaptiveConv2d
from convrepro.conv.analytic import AnalyticConv2d
from convrepro.conv.curriculum_smoothing import CurriculumSmoothingConv2d
from convrepro.conv.depthwise_filtered import DepthwiseFilteredConv2d
from convrepro.conv.disentangled import DisentangledConv2d
from convrepro.conv.dynamic_kernel import DynamicKernelConv2d
from convrepro.conv.ensemble_smoothing import EnsembleSmoothingConv2d
from convrepro.conv.factory import ConvFactory, OperatorLayer, operator_conv, plain_conv
from convrepro.conv.folding import fold
from convrepro.conv.kernel_fitting import fit_kernels
from convrepro.conv.local_squeeze_excitation import LocalSqueezeExcitationConv2d
from convrepro.conv.multiplicative_envelope import MultiplicativeEnvelopeConv2d
from convrepro.conv.parametric_attention import ParametricAttentionConv2d
from convrepro.conv.projected import ProjectedConv2d
from convrepro.conv.sigma_clipping import clip_after_step

__all__ = [
    "AdaptiveAttentionConv2d",
    "AdaptiveConv2d",
    "AnalyticConv2d",
    "ConvFactory",
    "CurriculumSmoothingConv2d",
    "DepthwiseFilteredConv2d",
    "DisentangledConv2d",
    "DynamicKernelConv2d",
    "EnsembleSmoothingConv2d",
    "LocalSqueezeExcitationConv2d",
    "MultiplicativeEnvelopeConv2d",
    "OperatorLayer",
    "ParametricAttentionConv2d",
    "ProjectedConv2d",
    "clip_after_step",
    "fit_kernels",
    "fold",
    "operator_conv",
    "plain_conv",
]
