"""What a manifest may have beside functions, and an init that wants services: for large manifests and small ones."""

ODDS = """
PLUGIN_DECLARE(typedef short sample;);
PLUGIN_ENUM(Colour, { RED = 3, BLUE });
PLUGIN_STRUCT(Pair, { int first; int (*sum)(struct Pair *self, int more); });
static int sum(struct Pair *self, int more) { return self->first + more; }
PLUGIN_FUNC(Pair *, pair, (void)) { static Pair pair = {5, sum}; return &pair; }
PLUGIN_FUNC(sample, half, (sample value)) { return value / 2; }
PLUGIN_FUNC(enum Colour, colour, (int value)) { return (enum Colour)value; }
PLUGIN_VAR(int, level) = 7;
"""
INIT = """
PLUGIN_STRUCT(Host, { int (*answer)(struct Host *self); });
static int answered;
PLUGIN_INIT(Host *host) { answered = host->answer(host); }
PLUGIN_FUNC(int, result, (void)) { return answered; }
"""


class Host:
    """The services that INIT wants."""

    def answer(self):
        """What `result` gives then."""
        return 42
