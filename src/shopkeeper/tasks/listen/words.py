"""Topics, dangers and events that are looked for before anything was learnt: their names and words, English and Chinese."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from shopkeeper.errors import InputError
from shopkeeper.tasks.listen.phrases import Phrases

Mode = Literal["shop", "finance"]


@dataclass(frozen=True, slots=True)
class Label:
    """Something that posts may be about.

    Attributes:
        key: As it stands in readings.
        names: English and Chinese.
        words: What gives it away, in either language.
    """

    key: str
    names: tuple[str, str]
    words: tuple[str, ...]


def _label(key: str, english: str, chinese: str, words: str) -> Label:
    return Label(key, (english, chinese), tuple(words.split("|")))


SHOP: Final = (
    _label("quality", "quality", "质量", "quality|broke|broken|defect|flimsy|durable|sturdy|fell apart|workmanship|质量|做工|坏了|断了|开裂|掉色|起球|瑕疵|耐用|结实|粗糙"),
    _label("price", "price", "价格", "price|expensive|overpriced|cheap|discount|coupon|bargain|worth the money|价格|降价|涨价|太贵|便宜|优惠券|优惠|划算|性价比|差价|保价"),
    _label("delivery", "delivery", "物流", "delivery|deliver|shipping|shipped|parcel|courier|arrived late|tracking number|lost package|物流|快递|发货|送货|配送|到货|包裹|派送|丢件|催单|外卖"),
    _label("service", "service", "服务", "customer service|support team|rude|no reply|staff|complaint|客服|服务态度|售后|态度|投诉|不回复|店家|卖家"),
    _label("returns", "returns and refunds", "退换货", "refund|return|exchange|money back|warranty|退款|退货|换货|退换|保修|返修|七天无理由"),
    _label("packaging", "packaging", "包装", "packaging|box was|crushed|damaged in transit|包装|外包装|箱子|压坏|漏液|破损"),
    _label("authenticity", "genuine goods", "真伪", "fake|counterfeit|genuine|authentic|not original|假货|正品|山寨|仿品|翻新|盗版|真假"),
    _label("fit", "size and fit", "尺码", "size|too small|too big|too tight|fits|尺码|尺寸|偏大|偏小|合身|紧身|版型"),
    _label("food", "taste and freshness", "口味与新鲜度", "taste|stale|rotten|fresh|flavour|flavor|delicious|味道|口感|新鲜|变质|发霉|过期|难吃|好吃|烂了"),
    _label("site", "shop and app", "网站与应用", "app|website|checkout|login|crash|page|payment failed|闪退|登录|网页|下单失败|支付失败|系统崩溃|卡顿|验证码"),
)  # fmt: skip
"""What customers of a shop write about."""

FINANCE: Final = (
    _label("results", "results", "业绩", "earnings|profit|revenue|net loss|guidance|quarterly results|业绩|净利润|营收|亏损|预增|预减|财报|年报|季报|盈利"),
    _label("market", "market", "大盘", "index|stocks fell|stocks rose|rally|sell-off|benchmark|大盘|沪指|指数|股市|涨停|跌停|反弹|抄底|创业板|收盘"),
    _label("policy", "policy", "政策", "central bank|interest rate|regulation|tariff|stimulus|央行|政策|监管|降息|加息|国务院|证监会|银保监|关税"),
    _label("deal", "mergers and holdings", "并购与股权", "acquire|acquisition|merger|takeover|stake|buyback|收购|并购|重组|增持|减持|回购|股权|控股|定增"),
    _label("debt", "debt and credit", "债务", "default|bond|debt|bankrupt|liquidation|违约|债券|债务|破产|清算|逾期|兑付|暴雷|爆雷"),
    _label("lending", "lending platforms", "网贷", "lending platform|peer-to-peer|网贷|借贷|平台|出借人|提现|理财"),
    _label("industry", "industry", "行业", "industry|supply chain|chip|battery|产业|行业|供应链|芯片|新能源|锂电|光伏|医药|白酒"),
    _label("commodities", "commodities", "商品期货", "crude|oil price|gold|copper|futures|原油|黄金|期货|铜价|铁矿|煤炭|油价"),
    _label("people", "management", "高管", "chief executive|resigned|board|chairman|董事长|总经理|辞职|高管|实控人|被查|失联"),
)  # fmt: skip
"""What markets write about."""

RISKS: Final = (
    _label("safety", "safety", "安全", "caught fire|catch fire|catches fire|catching fire|on fire|explode|exploding|burned|burnt|burning smell|burn mark|burn my|burns my|burn your|burns your|burn down|electric shock|injury|injured|allergic|rash|poison|poisoning|choking|unsafe|product recall|safety recall|recall notice|recalled|smoking|smoke came|smoke coming|smoke from|smoke pour|smoke everywhere|started to smoke|began to smoke|starts to smoke|smell of smoke|full of smoke|there was smoke|black smoke|起火|着火|冒烟|爆炸|漏电|触电|烫伤|皮肤过敏|过敏|红肿|中毒|拉肚子|受伤|流血|召回|有毒|甲醛|安全隐患|异物|虫子"),
    _label("fraud", "fraud", "欺诈", "scam|fraud|fake|counterfeit|cheated|phishing|ripped off|ponzi|骗子|诈骗|欺诈|骗人|受骗|假货|虚假|传销|非法集资|跑路|卷款|山寨|套路|刷单|财务造假"),
    _label("legal", "legal", "法律", "lawsuit|sue you|sue them|going to sue|want to sue|gonna sue|i will sue|i'll sue|we will sue|sued|suing|lawyer|in court|to court|court case|court order|small claims|illegal|consumer protection|class action|regulator|privacy breach|data leak|起诉|律师|法院|违法|消协|工商局|工商总局|工商所|工商部门|工商投诉|工商举报|工商热线|投诉到工商|告到工商|维权|立案|处罚|侵权|泄露|12315|监管|举报|信批违规"),
    _label("delivery", "delivery", "物流", "never arrived|still waiting|lost parcel|lost package|late delivery|not delivered|wrong address|没收到|不发货|迟迟|丢件|超时|延误|送错|一直没到"),
    _label("quality", "quality", "质量", "broke|broken|defect|defective|fell apart|faulty|stopped working|does not work|doesn't work|质量差|质量太差|坏了|断了|开裂|不能用|次品|残次|变质|发霉|烂了|掉色"),
    _label("price", "price", "价格", "overpriced|price gouging|rip-off|charged twice|hidden fee|price went up|太贵|乱收费|先涨后降|差价|多收|坑钱|杀熟|降价太快"),
    _label("service", "service", "服务", "rude|no reply|ignored|hung up|refuse to refund|refused a refund|态度差|态度恶劣|爱答不理|不理人|推脱|敷衍|拒绝退款|不给退|客服不"),
    _label("pr", "public image", "舆情", "boycott|racist|sexist|outrage|shame on|unacceptable|going viral|scandal|抵制|被曝光|遭曝光|媒体曝光|网上曝光|要曝光|去曝光|曝光你|曝光他|曝光这|曝光无良|曝光黑心|曝光商家|丑闻|歧视|公开道歉|拒不道歉|要求道歉|必须道歉|道歉声明|致歉声明|辱华|热搜|翻车|引发争议|差评如潮"),
)  # fmt: skip
"""Classes of danger, the gravest first: of several that a post gives away the first one counts."""

HARMLESS: Final = _label(
    "", "harmless", "无害",
    "fake leather|fake fur|fake suede|fake silk|fake wood|fake plant|fake flower|fake grass|fake tree|fake tan|fake lashes|fake eyelash|fake nail|fake pearl|"
    "burnt orange|burnt sienna|burnt umber|burnt sugar|burnt caramel|calories burned|burned calories|burned evenly|burned cleanly|burned for|"
    "smoking hot|non-smoking|non smoking|no smoking|smoking jacket|smoking chips|smoking area|rash guard|rash vest|rasher|explode with|exploded view|"
    "in court shoe|gas regulator|voltage regulator|pressure regulator|window regulator|"
    "外套|手套路|一套路由|跑路上|跑路线|夜跑路|晨跑路|过敏体质|过敏人群|过敏肌|过敏性|过敏原|过敏源|抗过敏|低过敏|着火锅|起火锅|着火腿|起火腿|着火车|着火龙果|"
    "爆炸盐|爆炸头|爆炸好|爆炸糖|漏电保护|漏电开关|烫伤膏|除甲醛|去甲醛|吸甲醛|零甲醛|0甲醛|甲醛检测|甲醛未检出|防虫子|驱虫子|杀虫子",
)  # fmt: skip
"""Ordinary words that hold a word of danger, for the empty key: the longest counts, and none begins within another."""

EVENTS: Final = (
    _label("financial_fraud", "false accounts", "财务造假", "accounting fraud|inflated revenue|财务造假|虚增|造假|虚假记载"),
    _label("illegal_fundraising", "illegal fund-raising", "涉嫌非法集资", "ponzi|illegal fundraising|非法集资|非法吸收公众存款|非吸|集资诈骗"),
    _label("pyramid", "pyramid selling", "涉嫌传销", "pyramid scheme|传销|拉人头"),
    _label("swindle", "fraud", "涉嫌欺诈", "fraud|swindle|诈骗|欺诈|骗局|骗取"),
    _label("disclosure", "breach of disclosure", "信批违规", "disclosure violation|信披违规|信批违规|信息披露|未及时披露|未披露|警示函|监管函|问询函"),
    _label("trading", "breach of trading rules", "交易违规", "insider trading|market manipulation|内幕交易|操纵|违规减持|短线交易|违规交易|资金占用|违规担保"),
    _label("owner", "change of owner", "实控人股东变更", "change of control|sold its stake|实控人变更|实际控制人变更|股权转让|增持|减持|控股权|易主"),
    _label("incapacity", "managers cannot serve", "不能履职", "resigned|stepped down|辞职|离职|辞去|被拘留|病逝|不能履职|辞任"),
    _label("missing", "gone missing", "失联跑路", "absconded|went missing|跑路|失联|卷款|潜逃"),
    _label("deal_failed", "deal failed", "重组失败", "deal collapsed|terminated the merger|终止重组|重组失败|终止收购|终止筹划|重组终止|终止重大资产重组"),
    _label("rating", "change of rating", "评级调整", "downgrade|upgrade|下调评级|评级下调|上调评级|评级|评级展望"),
    _label("results_fall", "results fall", "业绩下滑", "profit warning|net loss|profit fell|业绩下滑|亏损|净利润下降|同比下降|预亏|预减|下滑"),
    _label("withdrawal", "withdrawals stopped", "提现困难", "cannot withdraw|withdrawals suspended|提现困难|无法提现|逾期|兑付困难|提不了现"),
    _label("rights", "investors complain", "投诉维权", "investors protest|维权|投诉|讨债|报案"),
    _label("closure", "out of business", "歇业停业", "ceased operations|shut down|停业|歇业|清盘|停运|关停|破产"),
    _label("account", "accounts at risk", "资金账户风险", "account frozen|data breach|冻结|账户被盗|查封|数据泄露"),
    _label("unlawful", "breach of law", "涉嫌违法", "illegal|prosecuted|违法|立案|刑事|逮捕|行政处罚|罚款"),
)  # fmt: skip
"""What happens to companies, the plainest first; see FinESE in FinCUGE (arXiv 2302.09432) for the kinds."""


MOODS: Final = (
    _label("good", "rise", "看涨", "bullish|beat expectations|record high|upgrade|surge|rally|利好|涨停|大涨|反弹|新高|预增|增持|看涨|看多|抄底|加仓|起飞|翻倍|突破|红盘|分红"),
    _label("bad", "fall", "看跌", "bearish|missed expectations|plunge|sell-off|downgrade|default|bankrupt|利空|跌停|大跌|暴跌|下跌|亏损|套牢|割肉|退市|减持|崩盘|违约|爆雷|暴雷|看跌|看空|出货|跳水|腰斩|绿盘|跑路|诈骗|立案"),
)  # fmt: skip
"""How markets speak of rise and fall, which words of praise and complaint miss."""


def topics_for(mode: Mode, file: str = "") -> tuple[Label, ...]:
    """The topics of a mode, or those of a TOML file.

    Each table of the file is a topic: ``[delivery]``, ``en = "delivery"``, ``zh = "物流"``, ``words = ["parcel", "快递"]``.

    Raises:
        InputError: The file cannot be read, or a topic has no words.
    """
    if not file:
        return SHOP if mode == "shop" else FINANCE
    try:
        tables = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"The topics cannot be read: {error}.", where=file, cure="Write one TOML table a topic."
        ) from error
    return tuple(_read(key, table, file) for key, table in tables.items())


def phrases_of(labels: Sequence[Label]) -> Phrases:
    """The words of all labels, each standing for its label."""
    return Phrases(((word, label.key) for label in labels for word in label.words), inflected=True)


def names_of(labels: Sequence[Label]) -> Mapping[str, tuple[str, str]]:
    """Key to English and Chinese name."""
    return {label.key: label.names for label in labels}


def _read(key: str, table: object, file: str) -> Label:
    words = table.get("words") if isinstance(table, dict) else None
    if (
        not isinstance(table, dict)
        or not isinstance(words, list)
        or not words
        or not all(isinstance(w, str) for w in words)
    ):
        raise InputError(
            "A topic has no list of words.", where=f"{file}, {key}", cure='Write words = ["parcel", "快递"].'
        )
    return Label(key, (str(table.get("en", key)), str(table.get("zh", key))), tuple(words))
