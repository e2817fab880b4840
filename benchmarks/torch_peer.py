"""The three tasks with PyTorch, as its users write them."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Writer(nn.Module):
    """An LSTM that writes."""

    def __init__(self, size):
        """Take the sizes."""
        super().__init__()
        self.embedding = nn.Embedding(size.vocabulary, size.width)
        self.lstm = nn.LSTM(size.width, size.width, batch_first=True)
        self.head = nn.Linear(size.width, size.vocabulary)

    def forward(self, ids):
        """Return logits of shape (B, T, vocabulary)."""
        return self.head(self.lstm(self.embedding(ids))[0])


class Block(nn.Module):
    """Pre-norm attention and feed-forward."""

    def __init__(self, size):
        """Take the sizes."""
        super().__init__()
        width = size.width
        self.heads = size.heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        """Return an array of the shape of x, (B, T, width)."""
        batch, time, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, time, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(batch, time, width))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Decoder(nn.Module):
    """A decoder-only transformer whose embedding is its head."""

    def __init__(self, size):
        """Take the sizes."""
        super().__init__()
        self.embedding = nn.Embedding(size.vocabulary, size.width)
        nn.init.normal_(self.embedding.weight, std=size.width**-0.5)
        self.blocks = nn.Sequential(*(Block(size) for _ in range(size.layers)))
        self.norm = nn.LayerNorm(size.width)
        place = torch.arange(size.time)[:, None]
        rate = torch.exp(torch.arange(0, size.width, 2) * -math.log(1e4) / size.width)
        waves = torch.stack([torch.sin(place * rate), torch.cos(place * rate)], -1)
        self.register_buffer("positions", waves.view(size.time, size.width))

    def forward(self, ids):
        """Return logits of shape (B, T, vocabulary)."""
        scale = math.sqrt(self.embedding.embedding_dim)
        h = self.blocks(self.embedding(ids) * scale + self.positions)
        return self.norm(h) @ self.embedding.weight.T


def lenet(size):
    """Return LeNet."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, 10),
    )  # fmt: skip


MODELS = {"LeNet": lenet, "LSTM": Writer, "Transformer": Decoder}
VARIANTS = {name: ["eager", "compiled"] for name in MODELS}


def task(name, variant, size, rate, arrays):
    """Return the number of parameters, and a function that trains for one pass."""
    torch.manual_seed(0)
    model = MODELS[name](size)
    apply = torch.compile(model) if variant == "compiled" else model
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    x, y = tensors(name, arrays)

    def run():
        total = 0.0
        for rows in torch.randperm(len(x)).split(size.batch):
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(apply(x[rows]).flatten(0, -2), y[rows].flatten())
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        return float(total) / len(x)

    return sum(p.numel() for p in model.parameters()), run


def tensors(name, arrays):
    """Return inputs and labels in PyTorch's layout."""
    first = torch.tensor(arrays[0])
    if name == "LeNet":
        return first.permute(0, 3, 1, 2).contiguous(), torch.tensor(arrays[1]).long()
    first = first.long()
    return first[:, :-1].contiguous(), first[:, 1:].contiguous()
