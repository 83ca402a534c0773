"""Which names a pickle may hold: weights need few, and whatever else it names is refused before anything is opened."""

from __future__ import annotations

STORAGES = ("Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool")
DTYPES = (
    "float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz",
    "float8_e8m0fnu", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool",
)  # fmt: skip

WEIGHTS = frozenset(
    {
        "collections.OrderedDict", "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter", "torch.nn.parameter.Parameter",
        "torch.Size", "torch.device", "torch.storage.UntypedStorage", "_codecs.encode", "builtins.set",
        *(f"torch.{storage}Storage" for storage in STORAGES),
        *(f"torch.{dtype}" for dtype in DTYPES),
    }
)  # fmt: skip
"""What tensors are rebuilt with; torch's own reader of weights knows them all."""

_LIGHTNING = ("pytorch_lightning", "lightning.pytorch")
_CALLBACKS = (
    "callbacks.model_checkpoint.ModelCheckpoint", "callbacks.ModelCheckpoint", "callbacks.base.Callback",
    "callbacks.callback.Callback", "callbacks.early_stopping.EarlyStopping",
    "callbacks.lr_monitor.LearningRateMonitor",
)  # fmt: skip

LEFT_OUT = frozenset(
    {
        *(f"{package}.{callback}" for package in _LIGHTNING for callback in _CALLBACKS),
        "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct", "numpy.dtype", "numpy.ndarray", "numpy.dtypes.Float64DType",
        "numpy.dtypes.Float32DType", "numpy.dtypes.Int64DType", "torch.nn.modules.container.ParameterDict",
        "omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig", "omegaconf.base.Metadata",
        "omegaconf.base.ContainerMetadata", "omegaconf.nodes.AnyNode", "typing.Any", "pathlib.PosixPath",
        "pathlib.WindowsPath", "builtins.int", "builtins.float", "builtins.str", "builtins.bool", "builtins.list",
        "builtins.dict",
    }
)  # fmt: skip
"""Notes of the program that trained it, which genuine checkpoints hold beside their weights (SD 1.x as it came out has
`ModelCheckpoint` and NumPy's numbers). They are neither imported nor called: an empty stand-in takes their place."""

PLAIN_TABLES = frozenset(
    {
        "collections.defaultdict",
        "pytorch_lightning.utilities.parsing.AttributeDict",
        "lightning.fabric.utilities.data.AttributeDict",
        "lightning.pytorch.utilities.parsing.AttributeDict",
    }
)
"""The same for what is filled like a table."""

ACTING = frozenset(
    {
        "os", "posix", "nt", "subprocess", "sys", "socket", "shutil", "runpy", "importlib", "ctypes", "pty", "commands",
        "webbrowser", "urllib", "http", "requests", "pickle", "_pickle", "marshal", "code", "pdb", "bdb", "pip", "site",
        "pydoc", "timeit", "cProfile", "idlelib", "asyncio", "multiprocessing", "numpy.testing", "torch.hub",
        "torch.load", "torch.jit", "torch.serialization", "torch.utils.cpp_extension", "torch.distributed.rpc",
        "builtins.eval", "builtins.exec", "builtins.execfile", "builtins.compile", "builtins.open",
        "builtins.__import__", "builtins.breakpoint",
    }
)  # fmt: skip
"""What runs programs, opens files or reaches the network, with all that is below it; no weights ever need it."""


def is_allowed(name: str) -> bool:
    """Whether a pickle that names it may be read; it is read with stand-ins, where it is no part of weights."""
    return name in WEIGHTS or name in LEFT_OUT or name in PLAIN_TABLES


def is_hostile(name: str) -> bool:
    """Whether nothing but an attack has it in a file of weights."""
    parts = name.split(".")
    return any(".".join(parts[:length]) in ACTING for length in range(1, len(parts) + 1))
