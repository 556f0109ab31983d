"""The line of OS-BERT."""

from ctiforge.lines.line import MARGIN, BaseSettings, GateRules, Line, LineSetting, LineStage, SweptTraining, TrainedOn

STAGES = (
    LineStage("prepare_os", "prepare_os", reads_database=True, live=True),
    LineStage(
        "train_os_bert",
        "train_os_bert",
        ("--data={prepare_os}", "--base-model={os_model}"),
        estimates=True,
        batch=(16, 1),
    ),
    LineStage("baselines_os", "baselines_os", ("--data={prepare_os}", "--base-model={os_model}")),
    LineStage(
        "eval_os_in_use",
        "eval_os_bert",
        ("--model={os_in_use}", "--test-data=testset:{os_test_set}"),
        needs="os_in_use",
        collect="evaluation.json",
    ),
    LineStage(
        "eval_os_bert",
        "eval_os_bert",
        (
            "--model={train_os_bert}",
            "--test-data=testset:{os_test_set}",
            "--baselines={baselines_os}",
            "--base-model={os_model}",
            "--data={prepare_os}",
        ),
        collect="evaluation.json",
    ),
    LineStage(
        "compare_os",
        "compare",
        ("{eval_os_in_use}", "{eval_os_bert}"),
        collect="comparison.md",
        report="comparison.txt",
    ),
    # its own evaluation stands for the floors in it
    LineStage(
        "promote_os_bert",
        "promote",
        (
            "os-bert",
            "--approval={promote_approval}",
            "--model={train_os_bert}",
            "--evaluation={eval_os_bert}",
            "--against={eval_os_in_use}",
            "--against={eval_os_bert}",
        ),
        needs="promote_auto",
        live=True,
        collect="decision.json",
        report="decision.txt",
    ),
)

ATTRIBUTION = (
    "© 2025 The MITRE Corporation. "
    "This work is reproduced and distributed with the permission of The MITRE Corporation."
)
"""What goes with every copy of a text of ATT&CK, by its terms of use."""

OS_BERT = Line(
    name="os-bert",
    stages=STAGES,
    settings=(
        LineSetting(
            "os_model",
            "demo",
            "OS-BERT's base model, named like `model`; `demo` is a small encoder from a package.",
            flag="--model",
            chart="settings.osModel",
        ),
        LineSetting(
            "os_test_set",
            "demo-os",
            "The test set that it is evaluated on.",
            flag="--test-set",
            chart="settings.osTestSet",
        ),
        LineSetting(
            "os_in_use",
            None,
            "The one in use, a folder, an artifact or `models:os-bert@2`; None: the champion, if any.",
            flag="--in-use",
            chart="settings.osInUse",
        ),
    ),
    model="os_model",
    test_set="os_test_set",
    in_use="os_in_use",
    evaluation="eval_os_bert",
    # weighted precision falls where a frequent class is named too freely, which the other two can hide
    rules=GateRules("macro_f1", MARGIN, {"accuracy": 0.0, "weighted_precision": 0.0}),
    swept=SweptTraining("train_os_bert", {"learning_rate": ("1e-5", "2e-5", "5e-5"), "epochs": ("3", "5")}),
    source="prepare_os",
    trained_on=TrainedOn("prepare_os", ("train.jsonl", "validation.jsonl")),
    demo_texts=f"sentences of MITRE ATT&CK®; {ATTRIBUTION}",
    bases={
        "demo": BaseSettings(
            {
                # MITRE's platforms are the application's verdict in the demo's database; elsewhere the rule may do
                "prepare_os": {"limit": 290, "labeler": "application,keywords"},
                "train_os_bert": {"batch_size": 8, "max_length": 256, "eval_steps": 12},
                "baselines_os": {"max_length": 256},
            }
        )
    },
)
