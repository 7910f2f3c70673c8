"""Curves of training: a panel for every number of every stage."""

from tile_engine.engine.show.training_curves import training_curves


def test_training_curves_of_several_stages_and_of_none(tmp_path):
    records = [{"step": i, "stage": "autoencoder", "reconstruction": 1 / (i + 1)} for i in range(50)]
    records += [{"step": 0, "stage": "finetune", "iic": float("nan")}, {"step": 1, "stage": "finetune", "iic": -1.0}]
    assert training_curves(tmp_path / "a.png", records).stat().st_size > 3000
    assert training_curves(tmp_path / "b.png", []).exists()
