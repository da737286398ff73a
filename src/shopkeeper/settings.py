"""One frozen tree of settings: `shopkeeper.toml`, then the environment, then command-line flags; the last one wins.

A misspelt key is an error that names the nearest right one. ``SHOPKEEPER_SEARCH__LIMIT=50`` sets ``search.limit``.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from shopkeeper.errors import SettingsError

FILE = "shopkeeper.toml"
PREFIX = "SHOPKEEPER_"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, protected_namespaces=())


class StoreSettings(_Section):
    """Where the truth is kept."""

    url: str = Field(
        "",
        description="SQLAlchemy URL; empty means SQLite in the home folder. postgresql+psycopg://user:password@host/name works as well.",
    )


class SessionSettings(_Section):
    """Where is held what customers did last."""

    url: str = Field(
        "",
        description="Redis shared by several server processes, redis://host:6379/0; empty means each one's memory.",
    )


class ModelSettings(_Section):
    """Which pretrained models to start from."""

    encoder: str = Field(
        "auto",
        description="minilm, e5-small, use-multilingual, a Hugging Face id, a local folder, or auto (by the catalogue's language).",
    )
    reranker: str = Field(
        "",
        description="Cross-encoder that reads the best hits once more: a folder with model.onnx and tokenizer.json, a Hugging Face id, or none.",
    )
    pictures: str = Field(
        "efficientnet-lite0",
        description="Encoder of pictures: efficientnet-lite0, or a folder or Hugging Face id of a CLIP-like model.",
    )
    cache: str = Field("", description="Folder for unpacked and downloaded weights; empty means ~/.cache/shopkeeper.")
    offline: bool = Field(True, description="Never reach for a model hub; set false to allow downloads.")


class ComputeSettings(_Section):
    """What the machine may use."""

    threads: int = Field(0, ge=0, description="CPU threads for training and bulk encoding; 0 means all cores.")
    device: str = Field("auto", description="auto, cpu, cuda or mps.")
    seed: int = Field(7, description="Seed of everything random.")


class SearchSettings(_Section):
    """How search behaves."""

    limit: int = Field(24, ge=1, le=200, description="Hits on a page when the request does not say.")
    candidates: int = Field(200, ge=10, le=2000, description="Candidates taken from each index before fusion.")
    exact_below: int = Field(
        50_000, ge=0, description="Vector search compares all items exactly below this many, approximately above."
    )
    rerank: int = Field(
        24, ge=0, le=200, description="Hits that the cross-encoder reads, where models.reranker is set."
    )
    rerank_seconds: float = Field(0.15, gt=0, description="Time it has; what it did not reach keeps its place.")
    personal: float = Field(
        0.0, ge=0, le=10, description="What a customer's taste weighs in the order of hits; 0 switches it off."
    )


class RecommendSettings(_Section):
    """How recommendation behaves."""

    limit: int = Field(24, ge=1, le=200, description="Hits on a shelf when the request does not say.")
    repeat_purchases: bool = Field(False, description="May an item be recommended to a customer who already bought it?")
    history: int = Field(50, ge=1, le=500, description="Most recent events of a customer that recommendation looks at.")
    sequence: bool = Field(True, description="Learn a sequence model where the log is long enough (5,000 steps)?")
    seconds: float = Field(
        0.5, gt=0, description="Time for the sources of candidates; those not asked by then are left out of the answer."
    )
    ease: bool = Field(
        False,
        description="Also learn from all co-occurrences at once (EASE)? Costs ten seconds whenever counts are renewed.",
    )
    graph: bool = Field(True, description="Let imported triples name candidates, where there are any?")
    segments: str = Field(
        "language",
        description="What may decide which popular items a stranger sees: language and attributes of customers, with commas.",
    )
    diversity: float = Field(0.0, ge=0, le=1, description="Weight of variety on a page, against relevance; 0 for none.")
    diversity_by: Literal["likeness", "volume"] = Field(
        "likeness", description="Variety by the nearest item on the page (MMR) or by all of them together (DPP)."
    )
    calibration: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Weight of the customer's own mix of departments on a page; goes before diversity.",
    )
    popularity: float = Field(
        0.0, ge=-2, le=2, description="How much popularity is taken away from scores, in deviations; below 0 adds it."
    )
    debias: float = Field(
        0.0, ge=0, le=1, description="In training: what was taken weighs 1 / popularity to this power; 0 for all alike."
    )
    freshness: float = Field(
        0.0, ge=0, le=2, description="What an item gains on its first day, in deviations of the page; 0 for none."
    )
    freshness_days: float = Field(30.0, gt=0, description="Days in which that gain halves.")
    suppliers: str = Field(
        "", description="Shares of what is seen that brands are to have, e.g. Sonoro=0.2,Acme=0.1; empty for none."
    )
    explore: float = Field(
        0.0, ge=0, le=1, description="Share of first pages that keep places for items hardly looked at."
    )
    explore_by: Literal["thompson", "evenly"] = Field("thompson", description="How such an item is drawn.")
    explore_clicks: float = Field(
        50.0, ge=0, description="Expected clicks a day that exploring may cost, in each process."
    )

    @property
    def supplier_shares(self) -> dict[str, float]:
        """`suppliers` as brand to share."""
        parts = (part.rpartition("=") for part in self.suppliers.split(",") if part.strip())
        return {name.strip(): float(share) for name, _, share in parts}

    @field_validator("suppliers")
    @classmethod
    def _shares_add_up(cls, value: str) -> str:
        shares = [part.rpartition("=")[2].strip() for part in value.split(",") if part.strip()]
        try:
            sound = all(0 < float(share) <= 1 for share in shares) and sum(map(float, shares)) <= 1
        except ValueError:
            sound = False
        if not sound:
            raise ValueError("give BRAND=SHARE with commas, shares above 0 that sum to 1 at most")
        return value


class AdSettings(_Section):
    """How sponsored places are sold."""

    enabled: bool = Field(True, description="Show ads of running campaigns beside searches and products.")
    places: int = Field(2, ge=1, le=10, description="Ads on a page at most; never more than one for four items shown.")
    mechanism: Literal["vcg", "gsp", "first_price"] = Field(
        "vcg",
        description="What a click costs: what others lose by the ad (vcg), the least bid that keeps its place (gsp), its bid (first_price).",
    )
    reserve: float = Field(0.0, ge=0, description="Least price of a click, in the currency of the page.")
    floor: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of a page's items that an ad must be at least as relevant as; 0.5: the median.",
    )


class TrainSettings(_Section):
    """How long and how hard to train."""

    minutes: float = Field(
        10.0, gt=0, description="Rough wall-time budget of one recipe; training stops at the best state reached."
    )
    batch: int = Field(64, ge=2, description="Examples per optimiser step.")
    epochs: int = Field(3, ge=1, description="Passes over the examples at most; early stopping may end sooner.")
    checkpoint_seconds: float = Field(
        60.0, ge=0, description="Seconds between two states of a run on disk, from which it goes on after a kill."
    )
    update: bool = Field(
        False,
        description="Classes of texts: teach the live model what came since, in place of learning everything anew.",
    )
    remember: Literal["replay", "former", "elastic", "periods"] = Field(
        "replay",
        description="Beside rehearsing old texts, an update holds on to former answers, to weights, or averages.",
    )
    objective: Literal["", "mlm", "clm", "tsdae", "simcse", "pairs"] = Field(
        "",
        description="How the recipe domain reads texts; empty for words of BERT-like, next words of GPT-like models.",
    )
    layers: int = Field(
        -2, ge=-2, description="Top layers that learn: 0 the head only, -1 all, -2 as the recipe has it."
    )
    adapter: str = Field(
        "",
        description="Train an adapter in place of layers: lora, lora:16, dora, adalora, ia3, prefix:20, prompt:20, bottleneck:64.",
    )
    adversarial: str = Field(
        "", description="Adversarial training: fgm, pgd, freelb, awp or none; empty as the recipe has it."
    )
    average: str = Field("", description="Average the weights over the run: swa, ema or none.")
    optimiser: str = Field("", description="adamw, sgd, adafactor or lion; empty for the recipe's own.")
    schedule: str = Field("", description="cosine, linear, inverse-sqrt or constant; empty for the recipe's own.")
    rate: float = Field(0.0, ge=0, description="Peak learning rate; 0 for the recipe's own.")
    layer_decay: float = Field(1.0, gt=0, le=1, description="Each layer learns this much slower than the one above it.")
    smoothing: float = Field(0.0, ge=0, lt=1, description="Share of each label spread over all classes.")
    r_drop: float = Field(0.0, ge=0, description="Weight of the agreement of two passes (R-Drop); 0 for one pass.")
    mixup: float = Field(0.0, ge=0, description="Alpha of mixup; 0 for none.")
    augment: str = Field(
        "",
        description="Also learn from changed texts: delete, swap, typos, homophones, synonyms, insert; several with commas.",
    )
    contrast: int = Field(
        0,
        ge=-1,
        description="Steps that bring texts of one class together before cross-entropy; 0 only where a class has fewer than 20 texts, in place of it; -1 never.",
    )
    refit: bool = Field(
        False,
        description="Classes of texts: learn again with validation's texts once it has chosen; twice the time.",
    )
    solve: bool = Field(False, description="Solve the head by logistic regression before the layers learn (LP-FT).")
    gradual: bool = Field(False, description="Open one more layer with each epoch, from the top.")
    members: int = Field(
        1, ge=1, le=20, description="So many seeds learn, and their mean teaches the model that is kept; 1 for none."
    )
    noise: float = Field(
        0.0, ge=0, le=1, description="Exponent q of generalised cross-entropy, against wrong labels; 0 for plain."
    )
    clean: bool = Field(False, description="Leave out training texts whose labels look wrong (confident learning).")
    weight_decay: float = Field(-1.0, ge=-1, description="Decoupled weight decay; -1 for the recipe's own.")
    dropout: float = Field(-1.0, ge=-1, lt=1, description="Dropout before the head; -1 for the recipe's own.")
    lexicon: str = Field("", description="File of synonym groups for the augmentations synonyms and insert.")
    marks: str = Field(
        "", description="File of marked titles that the tagger learns from: JSON lines, or CoNLL columns."
    )


class FetchSettings(_Section):
    """Where pictures and videos may be downloaded from."""

    hosts: str = Field(
        "",
        description="Hosts that `import media urls` and `listen --feed` may ask, with commas: cdn.example.com, *.example.com, host:port; empty for none.",
    )

    @property
    def listed(self) -> tuple[str, ...]:
        """`hosts` one by one."""
        return tuple(host.strip() for host in self.hosts.split(",") if host.strip())


class GenerateSettings(_Section):
    """Which language model may phrase texts; everything works without one."""

    model: str = Field(
        "",
        description="Name at the endpoint, a .gguf file, a Hugging Face id or folder, smollm2, or dialogue for what was learnt; empty for none.",
    )
    url: str = Field(
        "", description="OpenAI-compatible endpoint, e.g. http://127.0.0.1:8080/v1; empty for a local model."
    )
    key: str = Field("", description="Bearer key of the endpoint; better given as SHOPKEEPER_GENERATE__KEY.")
    seconds: float = Field(8.0, gt=0, description="Time for one text; then the shop's own words stand.")
    tokens: int = Field(200, ge=8, le=4000, description="Length of one text at most, in tokens.")


class AssistSettings(_Section):
    """How the service assistant behaves."""

    enabled: bool = Field(True, description="Answer customers in the storefront and on /v1/assist.")
    rate_per_minute: int = Field(
        30,
        ge=1,
        description="Turns a minute that one conversation or customer may take; each process counts for itself.",
    )
    turns: int = Field(50, ge=2, le=500, description="Last turns of a conversation that are remembered.")


class ListenSettings(_Section):
    """How posts and reviews are read, and who is told of surges."""

    mode: Literal["shop", "finance"] = Field("shop", description="What is looked for: goods and service, or companies.")
    topics: str = Field("", description="TOML file of topics and their words; empty for those of the mode.")
    names: str = Field("", description="File of names to look for, one a line; beside the brands of the catalogue.")
    queue: int = Field(
        10_000, ge=100, description="Posts that may wait to be read; then posting is refused for a while."
    )
    false_alarms: float = Field(1.0, gt=0, description="Alerts a week on quiet streams that are acceptable.")
    zone: str = Field("UTC", description="Time zone whose days and weeks customers live by, e.g. Asia/Shanghai.")
    cool_down_hours: float = Field(6.0, ge=0, description="Time after an alert in which the same series is silent.")
    webhook: str = Field("", description="Address that alerts are posted to; empty for none.")
    webhook_key: str = Field("", description="Secret that signs what is posted (HMAC-SHA256).")
    webhook_private: bool = Field(False, description="May the webhook be an address of the own network?")
    email: str = Field("", description="Addresses that alerts are sent to, with commas; empty for none.")
    smtp: str = Field("", description="Mail server for them, e.g. smtp://user:password@host:587.")

    @field_validator("zone")
    @classmethod
    def _on_the_map(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("give the IANA name of a time zone, such as Asia/Shanghai or Europe/Berlin") from None
        return value


class ServeSettings(_Section):
    """How the server listens and what it accepts."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8321, ge=1, le=65535, description="Port to listen on.")
    keys_required: bool = Field(
        True,
        description="Require an API key on /v1; the storefront itself needs none; false also opens the staff's pages at /desk to everybody.",
    )
    body_limit: int = Field(5_000_000, ge=1_000, description="Largest request body in bytes.")
    events_limit: int = Field(1_000, ge=1, description="Most events in one batch.")
    refresh_seconds: float = Field(
        0.5, gt=0, description="How often the server looks for catalogue changes made by others."
    )
    rate_per_second: float = Field(
        200.0,
        ge=0,
        description="Requests per second that one API key may make, with bursts of twice that; 0 means no limit. Each process counts for itself.",
    )
    threads: int = Field(0, ge=0, description="Threads that answer requests; 0 means one more than there are cores.")
    log_impressions: bool = Field(
        True, description="Log what every answer showed, with positions, propensities and model version."
    )
    demo: bool = Field(
        False, description="Visitors of the storefront may act as any customer; for demonstrations only."
    )


class Settings(_Section):
    """The whole tree. `home` is the folder that holds the shop: database, models, media, rejects."""

    home: Path = Field(Path("shop"), description="The shop's folder.")
    name: str = Field("Shopkeeper", description="The shop's name, shown in the storefront.")
    store: StoreSettings = StoreSettings()
    sessions: SessionSettings = SessionSettings()
    models: ModelSettings = ModelSettings()
    compute: ComputeSettings = ComputeSettings()
    search: SearchSettings = SearchSettings()
    recommend: RecommendSettings = RecommendSettings()
    ads: AdSettings = AdSettings()
    train: TrainSettings = TrainSettings()
    fetch: FetchSettings = FetchSettings()
    generate: GenerateSettings = GenerateSettings()
    assist: AssistSettings = AssistSettings()
    listen: ListenSettings = ListenSettings()
    serve: ServeSettings = ServeSettings()

    def override(self, values: Mapping[str, Any]) -> Settings:
        """The same settings with some values replaced, by dotted name; checked as if they stood in the file.

        Raises:
            SettingsError: A key does not exist or a value has the wrong type.
        """
        tree = self.model_dump()
        for dotted, value in values.items():
            _set(tree, dotted, value)
        return _checked(tree)

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.store.url or f"sqlite:///{self.home / 'shop.db'}"

    @property
    def bundles(self) -> Path:
        """Folder of the model registry."""
        return self.home / "models"

    @property
    def media(self) -> Path:
        """Folder of pictures that items refer to by relative path."""
        return self.home / "media"

    @property
    def cache(self) -> Path:
        """Folder for pretrained weights, shared by all shops of this user."""
        return Path(self.models.cache).expanduser() if self.models.cache else Path.home() / ".cache" / "shopkeeper"


def load(
    home: Path | None = None, *, environ: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Read the settings of the shop in `home`.

    Args:
        home: The shop's folder; `SHOPKEEPER_HOME` or ``shop`` when None.
        environ: Environment to read, the process's own when None.
        overrides: Dotted key to value, e.g. ``{"serve.port": 9000}``; wins over everything.

    Raises:
        SettingsError: The file is not TOML, a key does not exist or a value has the wrong type.
    """
    environ = os.environ if environ is None else environ
    home = home or Path(environ.get(f"{PREFIX}HOME", "shop"))
    tree = _from_file(home / FILE)
    tree.setdefault("home", str(home))
    for dotted, value in [*_from_environment(environ), *(overrides or {}).items()]:
        _set(tree, dotted, value)
    return _checked(tree)


def _checked(tree: Mapping[str, Any]) -> Settings:
    _check_names(tree)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(
            f"{first['msg']} (got {first['input']!r}).",
            where=".".join(str(part) for part in first["loc"]),
            cure="See docs/settings.md for every setting, its type and its default.",
        ) from error


def describe(section: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, str, object, str]]:
    """Every setting as (dotted name, type, default, description), in order."""
    for name, info in section.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from describe(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", getattr(kind, "__name__", str(kind)), info.default, info.description or ""


def _from_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"This is not valid TOML: {error}.", where=str(path), cure="Mend the file or delete it."
        ) from error


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if name.startswith(PREFIX) and "__" in name:
            yield name.removeprefix(PREFIX).lower().replace("__", "."), value


def _set(tree: dict[str, Any], dotted: str, value: object) -> None:
    *sections, last = dotted.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise SettingsError(
                f"{section} has a value already, so nothing can stand below it.",
                where=dotted,
                cure=f"Take {section} out of the settings file, or write it as a section.",
            )
    tree[last] = value


def _check_names(tree: Mapping[str, Any]) -> None:
    known = [name for name, *_ in describe()]
    for dotted in _flatten(tree):
        if dotted not in known:
            nearest = difflib.get_close_matches(dotted, known, n=1, cutoff=0.5)
            raise SettingsError(
                "There is no such setting.",
                where=dotted,
                cure=f"Did you mean {nearest[0]!r}?" if nearest else "See docs/settings.md.",
            )


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
