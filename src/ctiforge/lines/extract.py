"""The line of the Extract Agent."""

from ctiforge.lines.line import MARGIN, BaseSettings, GateRules, Line, LineSetting, LineStage, SweptTraining, TrainedOn

_FILE_TYPE = "(f32|bf16|f16|q8_0|q6_k|q5_k_m|q4_k_m)"

STAGES = (
    LineStage(
        "harvest_extract",
        "harvest_extract",
        ("--from-database={from_database}", "--json-files={json_files}"),
        reads_database=True,
        live=True,
    ),
    # of the harvest only the records count: another report about the same records trains nothing anew
    LineStage(
        "format_extract",
        "format_extract",
        (
            "--input={harvest_extract}/records.jsonl",
            "--model={model}",
            "--max-length={max_length}",
            "--format=messages",
            "--prompt={prompt_file}",
            "--template={template_file}",
            "--template-args={template_args}",
        ),
    ),
    LineStage(
        "check_data",
        "check_data",
        ("--records={harvest_extract}", "--data={format_extract}", "--model={model}"),
        collect="check.json",
    ),
    LineStage(
        "train_extract",
        "train_extract",
        ("--data={format_extract}", "--model={model}", "--max-length={max_length}", "--format=messages"),
        estimates=True,
        batch=(4, 4),
    ),
    LineStage(
        "eval_base",
        "eval_extract",
        (
            "--model={model}",
            "--test-data=testset:{test_set}",
            "--prepared={format_extract}",
            "--training-data={harvest_extract}/records.jsonl",
        ),
        collect="evaluation.json",
        batch=(32, None),
        role="base model",
    ),
    LineStage(
        "eval_base_constrained",
        "eval_extract",
        (
            "--model={model}",
            "--constrained",
            "--test-data=testset:{test_set}",
            "--prepared={format_extract}",
            "--training-data={harvest_extract}/records.jsonl",
        ),
        collect="evaluation.json",
        batch=(32, None),
        role="base model, constrained",
    ),
    LineStage(
        "eval_base_examples",
        "eval_extract",
        (
            "--model={model}",
            "--examples={examples}",
            "--test-data=testset:{test_set}",
            "--prepared={format_extract}",
            "--training-data={harvest_extract}/records.jsonl",
        ),
        needs="examples",
        collect="evaluation.json",
        batch=(32, None),
        role="base model, with examples",
    ),
    LineStage(
        "eval_teacher",
        "eval_extract",
        (
            "--model={teacher_model}",
            "--endpoint={teacher_endpoint}",
            "--price={teacher_price}",
            "--prepared={format_extract}",
            "--test-data=testset:{test_set}",
            "--training-data={harvest_extract}/records.jsonl",
        ),
        needs="teacher_endpoint",
        live=True,
        collect="evaluation.json",
        role="teacher",
    ),
    LineStage(
        "eval_regex",
        "eval_extract",
        (
            "--model=regex",
            "--test-data=testset:{test_set}",
            "--training-data={harvest_extract}/records.jsonl",
        ),
        collect="evaluation.json",
        batch=(32, None),
        role="regex floor",
    ),
    LineStage(
        "eval_in_use",
        "eval_extract",
        (
            "--model={in_use}",
            "--test-data=testset:{test_set}",
            "--training-data={harvest_extract}/records.jsonl",
        ),
        needs="in_use",
        collect="evaluation.json",
        batch=(32, None),
        role="model in use",
    ),
    LineStage(
        "eval_as_served",
        "eval_extract",
        (
            "--model={served_model}",
            "--endpoint={served_endpoint}",
            "--as-served={served_prompt}",
            "--asked-as={served_asked_as}",
            "--test-data=testset:{test_set}",
            "--training-data={harvest_extract}/records.jsonl",
        ),
        needs="served_endpoint",
        live=True,
        collect="evaluation.json",
        role="as served today",
    ),
    LineStage(
        "eval_tuned",
        "eval_extract",
        (
            "--model={train_extract}",
            "--test-data=testset:{test_set}",
            "--training-data={harvest_extract}/records.jsonl",
        ),
        collect="evaluation.json",
        batch=(32, None),
        role="new model",
    ),
    LineStage(
        "compare_extract",
        "compare",
        (
            "{eval_regex}",
            "{eval_base}",
            "{eval_base_constrained}",
            "{eval_base_examples}",
            "{eval_teacher}",
            "{eval_in_use}",
            "{eval_as_served}",
            "{eval_tuned}",
        ),
        collect="comparison.md",
        report="comparison.txt",
    ),
    # a first version must beat the model in use, or the rules where there is none
    LineStage(
        "promote_extract",
        "promote",
        (
            "extract",
            "--approval={promote_approval}",
            "--model={train_extract}",
            "--evaluation={eval_tuned}",
            "--against={eval_in_use}",
            "--against={eval_as_served}",
            "--against={eval_regex}",
        ),
        needs="promote_auto",
        live=True,
        collect="decision.json",
        report="decision.txt",
    ),
    # whatever is in use by now, so that a rollback is exported as well; what was exported once is not exported again
    LineStage(
        "export_model",
        "export_model",
        (
            "--model={champion}",
            "--format={export_format}",
            "--quantize={export_types}",
            "--test-data=testset:{test_set}",
            "--proof=sample",
        ),
        needs="export_format",
        of_champion=True,
        collect="export.json",
    ),
)

_DEMO = BaseSettings(
    {
        "format_extract": {"prompt": "short-v1", "window_tokens": 128},
        "train_extract": {
            "method": "full",
            "epochs": 2,
            "batch_size": 16,
            "gradient_accumulation_steps": 1,
            "learning_rate": 6e-3,
            "adam_beta2": 0.95,
            "eval_steps": 400,
            "save_steps": 400,
        },
        "eval_extract": {"batch_size": 64},
        # a base that knows nothing of the demo is a floor on every fourth article as well
        "eval_base": {"sample": 33},
        "eval_base_constrained": {"sample": 33},
    },
    max_length=304,
)

# about an hour on two cores: some hundred windows are learnt from, and a sample of articles is read
_SMOLLM2 = BaseSettings(
    {
        "format_extract": {"prompt": "short-v1", "window_tokens": 224, "validation_share": 0.04},
        "train_extract": {
            "method": "lora",
            "max_steps": 60,
            "batch_size": 8,
            "gradient_accumulation_steps": 1,
            "learning_rate": 1e-3,
            "eval_steps": 30,
            "save_steps": 20,
        },
        "eval_extract": {"batch_size": 32, "sample": 33},
        # a base writes on until its room is over
        "eval_base": {"sample": 8},
        "eval_base_constrained": {"sample": 8},
    },
    max_length=512,
    stored_as="SmolLM2-135M-Instruct",
)

EXTRACT = Line(
    name="extract",
    stages=STAGES,
    settings=(
        LineSetting(
            "model",
            "demo",
            "The Extract Agent's base model: a Hugging Face name (`name@revision` for another one than main), a folder "
            "or a base in the store; `demo` is the small one in this package, `smollm2` that of `ctiforge model add`.",
            flag="--model",
            chart="settings.model",
        ),
        LineSetting(
            "test_set",
            "demo",
            "The test set that it is evaluated on: `name` (its newest version) or `name@2`.",
            flag="--test-set",
            chart="settings.testSet",
        ),
        LineSetting(
            "in_use",
            None,
            "The one in use, a folder, an artifact, a hub name or `models:extract@2`: evaluated beside the new one; "
            "None: the champion, if any.",
            flag="--in-use",
            chart="settings.inUse",
        ),
        LineSetting(
            "prompt_file",
            None,
            "A training prompt of the team's own, a TOML with `system`, `user` and `[types]`; None: this package's.",
            chart="settings.promptFile",
            is_file=True,
        ),
        LineSetting(
            "template_file",
            None,
            "A chat template of the team's own, in Jinja; None: the base model's.",
            chart="settings.templateFile",
            is_file=True,
        ),
        LineSetting(
            "template_args",
            None,
            'Variables of the chat template to fix, as JSON: `{"enable_thinking": false}`.',
            chart="settings.templateArgs",
        ),
        LineSetting(
            "examples",
            None,
            "Evaluate the base model with solved training passages in its prompt, too: how many, or `auto` (chosen on "
            "validation); None: not.",
            chart="settings.examples",
        ),
        LineSetting(
            "export_format",
            None,
            "Export the model in use at the end of each run, once each: `gguf`, `merged` or `adapter-gguf`; None: not.",
            chart="settings.export.format",
            pattern="gguf|merged|adapter-gguf",
        ),
        LineSetting(
            "export_types",
            "q8_0",
            "The GGUF files that are written then, as `export --quantize` names them: `q4_k_m,q8_0`.",
            chart="settings.export.types",
            # a word that is none must not be told when everything else is done
            pattern=f"{_FILE_TYPE}(,{_FILE_TYPE})*",
        ),
        LineSetting(
            "teacher_endpoint",
            None,
            "An OpenAI-compatible address that serves a strong model, evaluated in every run through the same windows.",
            chart="settings.teacher.endpoint",
        ),
        LineSetting("teacher_model", "default", "The model's name there.", chart="settings.teacher.model"),
        LineSetting(
            "teacher_price",
            None,
            "What a million of its tokens cost, read and written: `0.15,0.60`.",
            chart="settings.teacher.price",
        ),
        LineSetting(
            "served_endpoint",
            None,
            "An OpenAI-compatible address that serves what the application uses today: evaluated in every run.",
            chart="settings.served.endpoint",
        ),
        LineSetting("served_model", "default", "The model's name there.", chart="settings.served.model"),
        LineSetting(
            "served_prompt",
            None,
            "A file with the application's own prompt: whole articles are asked about, as they are today.",
            chart="settings.served.prompt",
            is_file=True,
        ),
        LineSetting(
            "served_asked_as",
            None,
            "Or the trained model whose prompt and windows are used there.",
            chart="settings.served.askedAs",
        ),
    ),
    model="model",
    test_set="test_set",
    in_use="in_use",
    evaluation="eval_extract",
    rules=GateRules(
        "micro_f1",
        MARGIN,
        {
            "macro_f1": 0.0,
            # false items in lists that should be empty: with too many, analysts stop reading
            "zero_false_positives": 0.0,
            # an answer that cannot be read loses its window's items, a value that is not in the article costs trust
            "json_validity": 0.0,
            "grounded": 0.0,
        },
    ),
    swept=SweptTraining("train_extract", {"learning_rate": ("1e-4", "2e-4", "5e-4"), "epochs": ("1", "3")}),
    source="harvest_extract",
    trained_on=TrainedOn(
        "format_extract", ("articles.jsonl",), since=2, before=TrainedOn("harvest_extract", ("records.jsonl",))
    ),
    reads_files=True,
    demo_texts="templates: they prove the machinery, not a model's skill",
    bases={"demo": _DEMO, "smollm2": _SMOLLM2},
)
