"""Convolution operators, and the factories by which networks make them."""

from convrepro.conv.dynamic_kernel import DynamicKernelConv2d
from convrepro.conv.factory import ConvFactory, OperatorLayer, operator_conv, plain_conv

__all__ = ["ConvFactory", "DynamicKernelConv2d", "OperatorLayer", "operator_conv", "plain_conv"]
