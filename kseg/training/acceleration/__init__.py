"""Layers that train faster on TensorFlow, weight for weight Keras' own; `accelerate` puts them into a network.

::

    batch_norm    batch normalisation by TensorFlow's one fused operation
    depthwise     depthwise convolutions whose gradients a CPU computes fast
    winograd      3×3 convolutions by Winograd's algorithm
    activations   GELU and SiLU compiled to one loop
"""
