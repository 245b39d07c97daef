"""Make masks of background, cat and dog for the Oxford-IIIT Pet data, from its trimaps and its list of breeds.

    python tools/pets_species.py $KSEG_DATA/pets --out species

Writes an index PNG for each trimap: 0 background, 1 cat, 2 dog, 255 the border. The species of a picture is that of its
breed, which annotations/list.txt has for some pictures of each breed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from kseg.errors import DataError, KsegError
from kseg.files import make_folder
from kseg.images import read_mask, write_index_png

PET, BACKGROUND, BORDER = 1, 2, 3
"""The pixel values of a trimap."""
IGNORED = 255
COLORS = [(0, 0, 0), (230, 120, 30), (40, 120, 220)]


def species_of_breeds(listing: Path) -> dict[str, int]:
    """Breed → 1 (cat) or 2 (dog), from lines ``NAME_NUMBER CLASS SPECIES BREED``.

    Raises:
        DataError: A line has another form, or a breed has both species.
    """
    species: dict[str, int] = {}
    for number, line in enumerate(listing.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split()
        if len(words) != 4 or words[2] not in ("1", "2"):
            raise DataError(
                "not a line of breeds", where=f"{listing}:{number}", expected="NAME CLASS SPECIES BREED", found=line
            )
        if species.setdefault(breed_of(words[0]), int(words[2])) != int(words[2]):
            raise DataError(
                "the breed has two species", where=f"{listing}:{number}", expected="1 (cat) or 2 (dog)", found=line
            )
    return species


def breed_of(name: str) -> str:
    """``american_bulldog_12`` → ``american_bulldog``."""
    return name.rpartition("_")[0]


def write_species(pets: Path, out: Path) -> int:
    """Write the masks; returns their number. Raises KsegError."""
    species = species_of_breeds(pets / "annotations" / "list.txt")
    make_folder(out)
    trimaps = sorted((pets / "annotations" / "trimaps").glob("[!.]*.png"))
    for path in trimaps:
        if breed_of(path.stem) not in species:
            raise DataError(
                "the breed is not in annotations/list.txt",
                where=str(path),
                expected=", ".join(sorted(species)),
                found=path.stem,
            )
        classes = np.full(256, IGNORED, np.uint8)
        classes[PET], classes[BACKGROUND] = species[breed_of(path.stem)], 0
        write_index_png(out / path.name, classes[read_mask(path)], COLORS)
    return len(trimaps)


def main() -> None:
    """Parse the command line and write the masks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pets", type=Path, help="the data set's folder, with annotations/ in it")
    parser.add_argument("--out", type=Path, required=True, help="folder for the masks")
    arguments = parser.parse_args()
    try:
        print(f"{write_species(arguments.pets, arguments.out)} masks in {arguments.out}")
    except (KsegError, OSError) as error:
        parser.exit(1, f"error: {error}\n")


if __name__ == "__main__":
    main()
