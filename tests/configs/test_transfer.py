"""Table 2 of the disentangled convolution starts from the networks of its Tables 1g and 1i."""

from convrepro.protocols import grid

SOURCES = [  # of each block of the grid: table, model, conv
    ("disentangled_table1i", "resnet34", "standard"),
    ("disentangled_table1i", "resnet34_no_maxpool", "disentangled"),
    ("disentangled_table1i", "resnet50", "standard"),
    ("disentangled_table1i", "resnet50_no_maxpool", "disentangled"),
    ("disentangled_table1g", "resnet50", "cbs"),
]


def test_each_block_starts_from_its_network_on_imagenet() -> None:
    planned = grid.plan("disentangled_table2")
    for table, model, conv in SOURCES:
        source = grid.plan(table)
        (run,) = [
            cell.run_id for cell in source.table.cells if (cell.labels["model"], cell.labels["conv"]) == (model, conv)
        ]
        cells = [cell for cell in planned.table.cells if (cell.labels["model"], cell.labels["conv"]) == (model, conv)]
        assert len(cells) == 5
        for cell in cells:
            config = planned.configs[cell.run_id]
            assert (config.recipe.pretrained, config.recipe.trained) == (f"run/{run}", "classifier")
            of_features = {key: value for key, value in config.model.items() if key != "num_classes"}
            assert of_features == {k: v for k, v in source.configs[run].model.items() if k != "num_classes"}
            assert config.conv == source.configs[run].conv
