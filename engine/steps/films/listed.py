"""listed: what the user's list says of every film beside what the index has, for the tables of films."""

from __future__ import annotations

import numpy as np

from ....stores.frame import Array
from ...pipeline.image_documents import read_images
from ...pipeline.job import Job
from .layout import first_row
from .settings import FilmSettings


def film_texts(job: Job[FilmSettings], count: int) -> dict[str, list[str]]:
    """Columns of the user's list: name -> the text of each of `count` films as it stands there, empty where it has none.

    A row of the list that names a set of films says the same of each of them; what stands inside sets is left out."""
    columns = dict[str, Array]()
    for batch, record in read_images(job.folder).items():
        row = first_row(job, batch)
        for file in record.films:
            for name, text in file.columns.items():
                if name not in columns:
                    columns[name] = np.full(count, "", object)
                columns[name][row : row + file.count] = text.strip()
            row += file.count
    return {name: texts.tolist() for name, texts in columns.items()}
