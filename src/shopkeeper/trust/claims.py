"""Claims that shop copy must not make, whatever the facts are, in Chinese and English.

Five kinds, after the law that shops live under: superlatives (Advertising Law of the PRC, article 9), medical effects of what
is no medicine (articles 16 to 18), guarantees, former prices that nothing shows (article 13; Directive 98/6/EC, article 6a) and
comparison with rivals (article 13; Directive 2006/114/EC). A list of patterns finds what is said plainly; it is no lawyer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shopkeeper.errors import InputError

_LEAST: Final = 2
_AILMENT_EN: Final = (
    r"acne|aches?|allerg\w+|anxiety|arthritis|asthma|back ?pain|cancer|colds?|coughs?|depression|diabetes|disease\w*|eczema|"
    r"fever|flu|headaches?|high blood pressure|hypertension|illness\w*|infections?|inflammation|insomnia|migraines?|"
    r"obesity|pain|psoriasis|rheumatism|virus\w*|wounds?"
)
_AILMENT_ZH: Final = "癌|肿瘤|糖尿病|高血压|血压|血糖|血脂|失眠|感冒|咳嗽|哮喘|过敏|湿疹|痘|炎症?|疼痛|头痛|头疼|腰痛|关节痛|近视|便秘|脱发|抑郁|焦虑|病毒|疾病|百病"
_PATTERNS: Final[Mapping[str, tuple[str, ...]]] = {
    "superlative": (
        r"(?<![a-z])(?:the )?(?:very )?best(?![a-z])(?! (?:before|wishes|served|stored|kept|used|enjoyed)\b)(?!-before)",
        r"(?<![a-z])(?:finest|greatest|cheapest|ultimate|unbeatable|unrival+ed|unmatched|unparal+eled|peerless|second to none|"
        r"one and only|top[- ]rated|top[- ]of[- ]the[- ]line|state[- ]of[- ]the[- ]art|world[- ]class|world'?s (?:first|leading|\w+est))(?![a-z])",
        r"(?<![a-z])(?:no\.? ?1|number one|number 1)(?![a-z0-9])|#1(?!\d)",
        r"(?<![a-z])the (?:world's )?most (?!of\b|part\b|common\b|recent\b)[a-z]+(?![a-z])",
        r"(?<![a-z])the (?:lightest|softest|strongest|fastest|safest|toughest|lowest priced?|highest quality|smoothest|purest|healthiest)(?![a-z])",
        r"最(?!近|后|终|初|多可|多能|大(?:承重|容量|功率|负载|载重|转速|速度|输出|支持|扭矩|直径|厚度|长度|高度|开口|尺寸|距离)"
        r"|小(?:尺寸|直径|厚度|长度|起订|起售|输出)|高(?:温度|转速|速度|分辨率|承重|耐温|频率)|低(?:温度|转速|消费|起订)|长(?:可|续航|距离))"
        r"[\u4e00-\u9fff]",
        r"第一(?!次|代|步|人称|时间|章|页|季|天|层|排|件|单|期)|(?:国家|世界|全球|宇宙|航天|军工)级(?!保护)|顶级|顶尖|极品|极致|绝佳|绝版|独一无二|独家|唯一|首选|首家|首个"
        r"|王牌|冠军|之王|全网(?:独家|首发|销量)|史上|史无前例|绝无仅有|空前绝后|无与伦比|登峰造极|驰名|领导品牌|领先品牌|遥遥领先|no\.?1|top ?1(?!\d)|万能|100 ?%(?:有效|安全|好评|满意)|天花板",
    ),
    "medical": (
        rf"(?<![a-z])(?:treat|cure|heal|prevent|relieve|alleviate|fight|combat|remed[yi]|sooth|eliminat)(?:s|es|ies|ed|ing|e)?"
        rf" (?:(?:your|the|all|from|of|chronic|severe|and|muscle|joint|neck) ){{0,3}}(?:{_AILMENT_EN})(?![a-z])",
        rf"(?<![a-z])(?:cure|remedy|treatment|relief) (?:for|of|from) (?:(?:your|the|all|chronic) )?(?:{_AILMENT_EN})(?![a-z])",
        r"(?<![a-z])(?:pain|migraine|allergy|arthritis)[- ]relie(?:f|ving)(?![a-z])|(?<![a-z])(?:clinically (?:proven|tested)|doctor recommended|"
        r"anti[- ]cancer|anti[- ]inflammatory|detoxif\w+|detox|boosts? (?:your )?immun\w+|lowers? (?:your )?(?:blood pressure|cholesterol)|burns? fat|"
        r"(?:rapid|fast) weight loss|miracle cure|healing powers?)(?![a-z])",
        rf"(?:治疗|治愈|根治|医治|主治|防治|预防|缓解|改善|消除|抑制|抵抗|对抗|告别)(?:各种|多种|一切)?(?:{_AILMENT_ZH})",
        r"疗效|药效|治愈|根治|包治|药到病除|抗癌|防癌|降血压|降血糖|降血脂|降三高|消炎|止痛|镇痛|活血化瘀|祛湿|排毒|壮阳|补肾|丰胸|减肥|瘦身|燃脂|增强免疫力?|提高免疫力?|临床(?:验证|证明)",
    ),
    "guarantee": (
        r"(?<![a-z])(?:guarantee[ds]?|guaranteed|warranted|money[- ]back|risk[- ]free|no[- ]risk|lifetime|lasts? forever|never (?:breaks?|fails?|fades?|rusts?|"
        r"leaks?|wears? out|disappoints?)|works every time|fool[- ]?proof|unbreakable|indestructible)(?![a-z])",
        r"(?<![\d.])100 ?% (?:safe|effective|satisf\w+|guaranteed|secure|reliable|success\w*)",
        r"保证|包(?:赔|退|换|治|好|过)|无效退款|假一赔[一二三四五六七八九十百\d]+|永不|永久|永远|终身|终生|绝对|零风险|百分之百|百分百|必定|稳赚|万无一失",
    ),
    "former price": (
        r"(?<![a-z])(?:was|originally|formerly|instead of|reduced from|down from|regular(?:ly)?(?: price)?|list price|rrp|msrp)[: ]{1,2}"
        r"(?:us|hk)?[$€£¥]? ?\d[\d,.]*",
        r"(?<![a-z])(?:save|saving|discount(?: of)?|up to|get) (?:[$€£¥] ?)?\d[\d.]* ?(?:%|percent|off(?![a-z]))|\d[\d.]* ?(?:%|percent) (?:off|discount|cheaper|less)"
        r"|half[- ]price(?![a-z])",
        r"(?:原价|市场价|专柜价|吊牌价|划线价|官方价|日常价|曾售)(?:为|是)?[::]?\s?¥?\s?[\d一二三四五六七八九十百千]+|(?:立省|直降|立减|省下?|降价)\s?¥?\s?\d[\d.]*|"
        r"[\d一二三四五六七八九]+(?:\.\d)? ?折(?!叠)|半价|跳楼价|清仓价|骨折价|亏本",
    ),
    "comparison": (
        r"(?<![a-z])(?:better|cheaper|stronger|faster|safer|lighter|softer|longer[- ]lasting|more \w+) than (?:any(?:thing)?|all|every|other|others|the competition|"
        r"competitors?|rivals?|most|leading|those of|its)(?![a-z])",
        r"(?<![a-z])(?:unlike|compared (?:to|with)|than) (?:any |all |most )?(?:other|others|rivals?|competitors?|competing|ordinary|inferior)(?![a-z])",
        r"(?<![a-z])(?:outperforms?|outclass\w*|beats? (?:the )?(?:competition|competitors|rivals|all|any)|superior to|no other (?:brand|shop|product|\w+ (?:offers|has)))(?![a-z])",
        r"别家|别人家|友商|竞品|竞争对手|同类(?:产品|商品|品牌)?(?:中|里|都|所)?(?:没有|最|更|不)|同行|(?:优于|胜过|超越|碾压|吊打|秒杀|完爆|甩开|不输|媲美)"
        r"(?:其他|同类|别的|市面|大牌|名牌|一线|[\u4e00-\u9fff]{0,4}品牌)|比(?:其他|同类|别的|市面上?的?|大牌|普通|一般)[\u4e00-\u9fff]{0,8}(?:更|好|强|便宜|耐用|划算|快)",
    ),
}
_FOUND: Final = {kind: re.compile("|".join(patterns)) for kind, patterns in _PATTERNS.items()}
_EXCUSED: Final = frozenset(["guarantee", "former price"])
"""Kinds that may be said where the shop's own facts say them too."""
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "superlative": ("a superlative", "极限用语"),
    "medical": ("a medical effect", "医疗功效"),
    "guarantee": ("a guarantee", "保证承诺"),
    "former price": ("a former price that nothing shows", "无依据的原价"),
    "comparison": ("a comparison with rivals", "与他人比较"),
    "own": ("banned by the shop", "本店禁用"),
}
"""Kind to its name in English and Chinese."""


@dataclass(frozen=True, slots=True)
class Ban:
    """A claim that must not be made.

    Attributes:
        kind: One of `KINDS`.
        text: The words.
        start: Where they begin.
        end: Where they end.
    """

    kind: str
    text: str
    start: int
    end: int


def banned(
    text: str,
    facts: Sequence[str] = (),
    *,
    names: Sequence[str] = (),
    medicine: bool = False,
    own: Sequence[str] = (),
) -> tuple[Ban, ...]:
    """The banned claims of a text, from left to right.

    Args:
        text: What is to be published.
        facts: What the shop knows; a guarantee or a former price that stands there may be repeated.
        names: Proper names, of the brand for instance, in which nothing is a claim.
        medicine: It is about a medicine, which may say what it is for.
        own: The shop's own list: words and phrases.

    >>> [ban.text for ban in banned("The best kettle, 全网最低价")]
    ['The best', '最低']
    """
    plain = _folded(text)
    quiet = [span for name in names if name for span in _places(plain, _folded(name))]
    said = _folded("\n".join(facts))
    found = []
    for kind, pattern in _FOUND.items():
        if kind == "medical" and medicine:
            continue
        known = {" ".join(one[0].split()) for one in pattern.finditer(said)} if kind in _EXCUSED and said else set()
        found += [
            Ban(kind, text[one.start() : one.end()], *one.span())
            for one in pattern.finditer(plain)
            if " ".join(one[0].split()) not in known and not any(a <= one.start() and one.end() <= b for a, b in quiet)
        ]
    for phrase in own:
        found += [Ban("own", text[start:end], start, end) for start, end in _places(plain, _folded(phrase))]
    return tuple(sorted(found, key=lambda ban: (ban.start, ban.end)))


def own_claims(path: Path) -> tuple[str, ...]:
    """A shop's own list, a word or phrase a line; ``#`` begins a remark. Empty where there is no such file.

    Raises:
        InputError: The file is not UTF-8, or an entry has a single letter.
    """
    if not path.exists():
        return ()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError("The list is not UTF-8.", where=str(path), cure="Save it as UTF-8.") from error
    entries = [(number, line.partition("#")[0].strip()) for number, line in enumerate(lines, 1)]
    for number, entry in entries:
        if entry and len(entry) < _LEAST and entry.isascii():
            raise InputError(
                f"{entry!r} would ban nearly everything.", where=f"{path.name}, line {number}", cure="Write words."
            )
    return tuple(dict.fromkeys(entry for _, entry in entries if entry))


def _folded(text: str) -> str:
    """Lower case and full-width forms made plain, of exactly the same length, so that places stay places."""
    if text.isascii():
        return text.lower()
    return "".join(_letter(letter) for letter in text)


def _letter(letter: str) -> str:
    small = unicodedata.normalize("NFKC", letter).lower()
    if small in ("’", "‘"):
        return "'"
    return small if len(small) == 1 else letter


def _places(plain: str, phrase: str) -> Iterable[tuple[int, int]]:
    """Where a phrase stands, as whole words where it is of Latin letters."""
    edges = ("(?<![a-z0-9])" if phrase[:1].isascii() else "", "(?![a-z0-9])" if phrase[-1:].isascii() else "")
    return [one.span() for one in re.finditer(f"{edges[0]}{re.escape(phrase)}{edges[1]}", plain)] if phrase else []
