"""The intake's decoding and resizing against bare pydicom, for one core; and two workers against one.

Generated files in realistic sizes: CR of 2000 × 2500 (12 bits) and CT of 512 × 512 (16 bits, signed), uncompressed
and as lossless JPEG 2000. Each file is read alternately by the intake's own steps (`decode_item`: checks, decoding,
modality LUT, window, resizing, 8 bits) and by pydicom with the same resizing and nothing else. Time is the
processor's, so that other work on the machine counts little. Then whole intakes with one worker and two, in turn.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    generate_uid,
)

from wardround.imaging.decode import decode_item
from wardround.imaging.intake import preprocess
from wardround.imaging.labels import write_labels
from wardround.imaging.reading.header import quiet
from wardround.imaging.resize import fit
from wardround.imaging.scan import ScanRule, scan_file
from wardround.imaging.settings import IntakeSettings

GOAL, WORKERS_GOAL = 0.9, 1.8
SIZE = (224, 224)
KINDS = ("CR", "CT")
SYNTAXES: dict[str, UID] = {"uncompressed": ExplicitVRLittleEndian, "j2k": JPEG2000Lossless}
# Files of a set in the comparison for one core: as many as give each side about a second.
_FILES = {("CR", "uncompressed"): 6, ("CT", "uncompressed"): 60, ("CR", "j2k"): 2, ("CT", "j2k"): 12}


def main() -> None:
    """Print the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--turns", type=int, default=5, help="how often each file is read, and each intake run"
    )
    parser.add_argument("--images", type=int, default=32, help="images of an intake, half CR and half CT")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sets = {(kind, way): _write(folder, kind, way) for kind in KINDS for way in SYNTAXES}
        one_core = {f"{kind} {way}": _one_core(sets[kind, way], arguments.turns) for kind, way in sets}
        workers = _workers(folder, arguments.images, max(1, arguments.turns // 2))
    ratio = min(figures["ratio"] for figures in one_core.values())
    result = {
        "benchmark": "preprocess",
        "ratio": ratio,
        "goal": GOAL,
        "better": "higher",
        "workers_ratio": workers["ratio"],
        "workers_goal": WORKERS_GOAL,
        "one_core": one_core,
        "workers": workers,
    }
    print(json.dumps(result))


def say(text: str) -> None:
    """Print progress where it does not mix with the result. (benchmarks.job_f loads TensorFlow, workers must not.)"""
    print(text, file=sys.stderr, flush=True)


def _one_core(paths: list[Path], turns: int) -> dict[str, float]:
    """Processor seconds an image, best of the turns of each file: intake, intake with its scan, bare pydicom."""
    say(f"reading {paths[0].parent.name}")
    settings = _settings(paths[0].parent, workers=0)
    rule = ScanRule(key=b"k" * 16, modality=KINDS, max_bytes=1 << 29)
    steps: dict[str, Callable[[Path], object]] = {
        "intake_s": lambda path: decode_item([path], settings),
        "bare_s": _bare,
        "scan_s": lambda path: scan_file(path.parent, path.name, rule),
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    with quiet():
        for path in paths:
            best = dict.fromkeys(steps, float("inf"))
            for _ in range(turns):
                for name, step in steps.items():
                    best[name] = min(best[name], _seconds(step, path))
            for name, seconds in best.items():
                times[name].append(seconds)
    means = {name: statistics.mean(values) for name, values in times.items()}
    with_scan = means["bare_s"] / (means["intake_s"] + means["scan_s"])
    return {"ratio": means["bare_s"] / means["intake_s"], "ratio_with_scan": with_scan, **means}


def _bare(path: Path) -> np.ndarray:
    return fit(pydicom.dcmread(path).pixel_array.astype(np.float32), SIZE)


def _seconds(step: Callable[[Path], object], path: Path) -> float:
    start = time.process_time()
    step(path)
    return time.process_time() - start


def _workers(folder: Path, images: int, turns: int) -> dict[str, float]:
    """Wall seconds of whole intakes, in turn with one worker and with two; the medians and their ratio.

    Where other work takes the machine's cores, the workers' processor seconds tell whether they hinder each other.
    """
    # TensorFlow is loaded by the process that writes shards, once, and by no worker.
    import_module("wardround.imaging.shards")
    source = folder / "intake"
    uids = []
    for kind in KINDS:
        uids += [_save(source / f"{kind}{index}.dcm", kind, "j2k", index) for index in range(images // 2)]
    labels = write_labels(folder / "labels.csv", "sop_instance", [(uid, "normal") for uid in uids])
    times: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    for turn in range(turns):
        for workers, seen in times.items():
            say(f"an intake with {workers} worker(s)")
            start, used = time.perf_counter(), _children_s()
            preprocess(source, labels, folder / f"out{turn}-{workers}", _settings(folder, workers))
            seen.append((time.perf_counter() - start, _children_s() - used))
    (one, one_cpu), (two, two_cpu) = (map(statistics.median, zip(*times[workers])) for workers in (1, 2))
    return {
        "ratio": one / two,
        "one_worker_s": one,
        "two_workers_s": two,
        "one_worker_cpu_s": one_cpu,
        "two_workers_cpu_s": two_cpu,
        "images": len(uids),
        "load": os.getloadavg()[0],
    }


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _settings(folder: Path, workers: int) -> IntakeSettings:
    key = folder / "key"
    key.write_bytes(b"k" * 32)
    return IntakeSettings(
        labels=("normal",),
        size=SIZE,
        split_key_file=key,
        modality=KINDS,
        fractions=(1, 0, 0),
        workers=workers,
    )


def _write(folder: Path, kind: str, way: str) -> list[Path]:
    say(f"writing {kind} {way}")
    paths = [folder / f"{kind}-{way}" / f"{index}.dcm" for index in range(_FILES[kind, way])]
    for index, path in enumerate(paths):
        _save(path, kind, way, index)
    return paths


_encoded: dict[tuple[str, str], Dataset] = {}


def _save(path: Path, kind: str, way: str, index: int) -> str:
    if (kind, way) not in _encoded:
        _encoded[kind, way] = _dataset(kind, way)
    dataset = _encoded[kind, way]
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[str(path)])
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.PatientID, dataset.InstanceNumber = f"P{index}", index + 1
    path.parent.mkdir(exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return str(dataset.SOPInstanceUID)


def _dataset(kind: str, way: str) -> Dataset:
    dataset, stored = Dataset(), _picture(kind)
    dataset.SOPClassUID = ComputedRadiographyImageStorage if kind == "CR" else CTImageStorage
    dataset.SOPInstanceUID, dataset.Modality = "1.2.3", kind
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.4", "1.2.5"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored = 16, 12 if kind == "CR" else 16
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, int(kind == "CT")
    dataset.PixelSpacing = [0.15, 0.15] if kind == "CR" else [0.7, 0.7]
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0 if kind == "CR" else -1024
    dataset.WindowCenter, dataset.WindowWidth = (2048, 4096) if kind == "CR" else (40, 400)
    # A scanner's header has a hundred elements that say nothing about pixels.
    block = dataset.private_block(0x0019, "WARDROUND BENCHMARK", create=True)
    for number in range(100):
        block.add_new(number, "LO", f"value {number}")
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"
    if way == "j2k":
        dataset.compress(SYNTAXES[way], generate_instance_uid=False)
    return dataset


def _picture(kind: str) -> np.ndarray:
    """Smooth structures with noise, as an X-ray has; uint16 in 12 bits, or int16."""
    rows, columns = (2500, 2000) if kind == "CR" else (512, 512)
    down, across = np.mgrid[0:rows, 0:columns].astype(np.float32) / rows
    shape = np.sin(9 * down) * np.cos(7 * across) + np.hypot(down - 0.5, across - 0.4)
    noisy = 1800 + 900 * shape + np.random.default_rng(1).normal(0, 12, (rows, columns))
    return noisy.clip(0, 4095).astype("<u2" if kind == "CR" else "<i2")


if __name__ == "__main__":
    main()
