"""What a shop must not answer on its own: insults, people in distress, questions for a doctor or a lawyer."""

from __future__ import annotations

from typing import Final

from shopkeeper.trust.phrases import Phrase, phrase

_BAD: Final = r"(?:idiots?|morons?|imbeciles?|cretins?|stupid|dumb|pathetic|worthless|useless|disgusting|trash|garbage|scum|liars?|thie(?:f|ves)|crooks?|pigs?|losers?|clowns?|jerks?|fools?|braindead|ugly)"

ABUSE: Final[tuple[Phrase, ...]] = (
    phrase(rf"(?<![a-z])(?:you|ur|u|your)(?:'?re| are| r)? (?:all |such |so |just |a |an |the |fucking |bunch of |complete |total |absolute |stupid |real )*{_BAD}(?![a-z])"),
    phrase(
        r"(?<![a-z])(?:f+u+c+k+(?:ing?|e[rd]|s)?|motherf\w{2,8}|f\*+k\w{0,3}|bullshit|bitch(?:es|y|ing)?|assholes?|arseholes?|dumbass\w{0,2}|jackass\w{0,2}|bastards?|cunts?|whores?|sluts?|hoes?|dickheads?|wankers?"
        r"|retard(?:s|ed)?|fag(?:s|gots?)?|nigg(?:a|er)[sz]?|chinks?|spics?|kikes?|trann(?:y|ies)|pussy|pussies|dykes?|douche\w{0,4}|piece of shit|shithead|stfu|gtfo|white trash)(?![a-z])"
    ),
    phrase(r"(?<![a-z])(?:shut up|go to hell|screw you|drop dead|go die|kill yourself|kys|i(?:'ll| will| am going to|'m going to) (?:kill|find|hurt|beat) (?:you|u))(?![a-z])"),
    phrase(
        "傻[逼比叉屄缺子]|煞笔|沙雕|沙比|[操草艹肏日干]你[妈马吗嘛]|你妈的|尼玛|他妈|特么|妈的|妈逼|狗日|王八[蛋羔]?|混蛋|浑蛋|畜生|牲口|贱[人货种逼]|婊子?|脑残|脑瘫|智障|弱智|白痴|蠢[货猪驴逼]|废物|人渣|败类|杂种|垃圾(?:客服|玩意|东西|人|国|货)?"
        "|滚(?:蛋|开|出|回|犊子|吧)|去死|死全家|不要脸|不得好死|狗[东屁腿]|黑鬼|尼[哥格]|白皮猪|黑皮|倭寇|小日本|棒子|阿三|支那|蛮夷|乡巴佬|娘炮|死基佬|母狗|公交车女|绿茶婊|圣母婊|骚货|荡妇|拳师|女拳|田园女权|蝈?[蝻男]|直男癌|下头男|普信男|仙女(?:们)?(?:又|真)|屌丝|恶心(?:死|的|人|玩意)|智商(?:低|堪忧|为零)|没教养|不是人|狗都不如|臭(?:不要|傻|婊|流氓|男人|女人)",
        unless="垃圾(?:桶|袋|分类|箱|车|处理)|沙雕图",
    ),
)  # fmt: skip

SELF_HARM: Final[tuple[Phrase, ...]] = (
    phrase(
        r"(?<![a-z])(?:(?:kill|hurt|harm|cut|cutting|hang|killing|hurting|harming) (?:myself|my self)|(?:want|wanna|going|wish(?:ed)?|like|ready|plan(?:ning)?|rather)(?: to| i (?:was|were))? (?:die|be dead|dead|not exist)|commit suicide|suicidal|(?:take|end|ending|taking) my (?:own )?life|end it all"
        r"|(?:don't|do not|no longer|can't|cannot) (?:want to |wanna )?(?:live|be alive|exist|go on living|be here) ?(?:any ?more|longer)?|(?:no|any) reason to (?:live|go on)|better off without me|self[- ]?harm(?:ing)?|overdose on|thinking (?:of|about) suicide|suicide)(?![a-z])",
        unless=r"die for|die of (?:laugh|curiosity)|dead (?:sexy|gorgeous)|myself laughing|suicide squad|live without|live (?:here|there|in|with)|to die(?:,| laughing)|suicide doors?",
    ),
    phrase(
        "(?:不想活|不想再活|活不下去|活着(?:没|好累|太累|没有)意?思?|想自杀|要自杀|去自杀|自杀|自残|自尽|轻生|寻短见|割腕|(?:结束|了结)(?:自己|我)?的?生命|了结自己|(?:想|要)(?:从[\u4e00-\u9fff]{0,4})?跳楼|想死|去死了算了|死了算了|一死了之|不如死了)",
        unless="想死(?:你|我|他|她|它|这|那|咱)|自杀(?:小队|式)|跳楼(?:价|大)|笑|(?:馋|美|爽|甜|香|乐)死",
    ),
)  # fmt: skip

_ASKED: Final = r"(?<![a-z])(?:can i|could i|should i|may i|is it (?:safe|ok|okay|dangerous)|are (?:these|they) safe|how (?:much|many|often)|what (?:should|can|do|dose|dosage|medicine|medication|is wrong)|which (?:medicine|medication|drug|pill)s?|do i have|will (?:it|this|that)|does (?:it|this|that)|can (?:it|this|that|you)|would (?:it|this)|am i)(?![a-z])"
_ILL: Final = r"(?<![a-z])(?:medications?|medicines?(?! (?:cabinet|ball|box|bag|chest))|dosages?|dose|prescri\w{2,6}|antibiotics?|ibuprofen|paracetamol|acetaminophen|aspirin|insulin|antidepressants?|blood (?:pressure|thinners?|sugar)|symptoms?|diagnos\w{1,4}|diseases?|infections?|infected|cancer|diabet\w{1,3}|epilep\w{1,3}|asthma|eczema|psoriasis|arthritis|migraines?|fever|rash(?:es)?|seizures?|chest pain|heart (?:attack|disease|condition)|pregnan\w{1,3}|miscarriage|depression|adhd|cure[sd]?|heals?|treat (?:my|a|the)|side effects?|pills?|tablets? a day|painkillers?|allergic reaction|swallowed|poison\w{0,5})(?![a-z])"

MEDICAL: Final[tuple[Phrase, ...]] = (
    phrase(_ASKED, _ILL, gap=70),
    phrase(r"(?<![a-z])(?:i have|i've got|my (?:\w{2,10} )?(?:has|have)|suffer(?:ing)? from|diagnosed with)(?![a-z])", _ILL, _ASKED, gap=60),
    phrase("(?:吃药|服药|用药|吃什么药|用什么药|剂量|药量|处方|抗生素|布洛芬|阿司匹林|头孢|降压药|胰岛素|发烧|高烧|胸痛|心脏病|高血压|糖尿病|癌症?|肿瘤|哮喘|湿疹|抑郁症?|癫痫|怀孕|孕妇|流产|过敏反应|中毒|感染|症状|确诊|疫苗|副作用|关节炎|偏头痛)",
           "(?:吗|么|怎么(?:办|治)|能不能|可不可以|是不是|该|多少|有没有效|治|\\?|要不要)", gap=20),
    phrase("(?:能|可以|会)(?:不能)?(?:治好?|治疗|根治|缓解|预防)", "(?:病|痛|炎|症|癌|失眠|感冒|发烧|过敏|湿疹)", gap=10),
    phrase("(?:怎么治|该吃什么|得了什么病|是什么病|要去医院|挂什么科|吃多少(?:片|粒|颗|毫克))"),
)  # fmt: skip

LEGAL: Final[tuple[Phrase, ...]] = (
    phrase(r"(?<![a-z])(?:(?:can|could|should|may|will|want to|going to|how (?:do|can) i|i'll|i will) (?:i )?(?:sue|press charges|take (?:you|them|him|her|this|it) to court|file (?:a )?(?:law)?suit)|legal (?:advice|action|rights?|claim)|is (?:it|this|that) (?:legal|illegal|against the law)|my rights (?:as|under)|what (?:does|is) the law|lawyers?|attorneys?|small claims|class action|sue (?:you|them|the (?:shop|seller|manufacturer|company))|legally (?:entitled|obliged|required|liable)|liable for|lawsuits?)(?![a-z])",
           unless=r"legal (?:pad|size|paper)|tattoo"),
    phrase("(?:起诉|打官司|律师|诉讼|法院|法律(?:咨询|建议|途径|责任|依据|规定)|违法吗|合法吗|犯法|违不违法|劳动仲裁|仲裁委|消费者权益(?:保护)?法|告你们|去告|报案|立案|要负责任吗)"),
)  # fmt: skip
