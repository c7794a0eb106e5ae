"""Command line of `xtal`: one module a command, each loaded when it is called."""

#: Commands of `xtal` itself and what they do. The function of command NAME is `xtal_core.cli.NAME.NAME`.
BUILT_IN_COMMANDS = {
    "solve": "Solve a crystal structure from a powder pattern.",
    "refine": "Refine a known structure against a powder pattern.",
    "rerun": "Repeat a run from its run file.",
    "compare": "Say how alike structures are, or powder patterns: two, or many.",
    "simulate": "Calculate the powder pattern of a structure.",
    "plugins": "List what plugins offer, and why some cannot be used.",
    "weights": "List and verify the weights of models, and fetch more.",
    "bench": "Run a benchmark of the source tree, or list them.",
}
