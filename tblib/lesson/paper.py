"""The tables of the TimeBalance paper (CVPR 2023) as data, with what may be compared to what.

Numbers are top-1 accuracies in percent, as printed.  They belong to real UCF101, HMDB51 and
Kinetics-400 at the paper's scale; the runs of this book are smaller and must never be put beside
them without saying so.
"""

from __future__ import annotations

from io import StringIO

import pandas as pd

# Columns after `frames`: share of labelled training videos in percent, per dataset.
_RESULTS = """
method,venue,backbone,params_M,input,frames,ucf101_1,ucf101_5,ucf101_10,ucf101_20,ucf101_50,\
hmdb51_40,hmdb51_50,hmdb51_60,k400_1,k400_10,variant,ssl,outside,lists
PL,ICML'13,3D-ResNet18,13.5,V,16,,17.6,24.7,37.0,47.5,27.3,32.4,33.5,,,,no,,VideoSSL
MT,NeurIPS'17,3D-ResNet18,13.5,V,16,,17.5,25.6,36.3,45.8,27.2,30.4,32.2,,,,no,,VideoSSL
S4L,ICCV'19,3D-ResNet18,13.5,V,16,,22.7,29.1,37.7,47.9,29.8,31.0,35.6,,,,no,,VideoSSL
UPS,ICLR'21,3D-ResNet18,13.5,V,16,,,,39.4,50.2,,,,,,,no,,
SD,ICCV'19,3D-ResNet18,13.5,V,16,,31.2,40.7,45.4,53.9,32.6,35.1,36.3,,,,no,ImageNet,VideoSSL
MT+SD,WACV'21,3D-ResNet18,13.5,V,16,,30.3,40.5,45.5,53.0,32.3,33.6,35.7,,,,no,ImageNet,VideoSSL
VideoSemi,WACV'21,3D-ResNet18,13.5,V,16,,32.4,42.0,48.7,54.3,32.7,36.2,37.0,,,,no,ImageNet,VideoSSL
TG-FixMatch,CVPR'21,3D-ResNet18,13.5,V,8,,44.8,62.4,76.1,79.3,46.5,48.4,49.7,9.8,43.8,,no,,VideoSSL
TCL,CVPR'21,TSM-R18,,V,8,,,,,,,,,11.6,,with pretraining and finetuning,yes,,
MvPL,ICCV'21,3D-ResNet18,13.5,VFG,8,,41.2,55.5,64.7,65.6,30.5,33.9,35.8,5.0,36.9,\
re-implementation,no,,VideoSSL
CMPL,CVPR'22,3D-ResNet18,13.5,V,8,23.8,,67.6,,,,,,16.5,53.7,,no,,CMPL
TACL,TCSVT'22,3D-ResNet18,13.5,V,16,,35.6,50.9,56.1,65.8,34.6,37.2,39.5,,,no ImageNet,no,,
TACL,TCSVT'22,3D-ResNet18,13.5,V,16,,43.7,55.6,59.2,67.2,38.7,40.2,41.7,,,ImageNet,no,ImageNet,
3DRotNet,arXiv'19,3D-ResNet18,13.5,V,16,15.0,31.5,40.4,47.1,,,,,,,,yes,,
MemDPC,ECCV'20,3D-ResNet18,13.5,V,16,,,44.2,50.9,62.3,,,,,,,yes,,random
MotionFit,ICCV'21,3D-ResNet18,13.5,VF,16,,,,57.7,59.0,,,,,,,yes,,
TCLR,CVIU'22,3D-ResNet18,13.5,V,16,26.9,,66.1,73.4,76.7,,,,,,,yes,,
TimeBalance,CVPR'23,3D-ResNet18,13.5,V,8,29.1,47.9,69.8,79.1,83.3,49.8,51.4,53.1,17.1,54.9,\
,yes,,own
ActorCM,arXiv'21,R(2+1)D-34,33.3,V,8,,27.0,40.2,51.7,59.9,32.9,38.2,38.9,,,\
no ImageNet,no,person detector,VideoSSL
ActorCM,arXiv'21,R(2+1)D-34,33.3,V,8,,45.1,53.0,57.4,64.7,35.7,39.5,40.8,,,\
ImageNet,no,person detector and ImageNet,VideoSSL
FixMatch,NeurIPS'20,SlowFast-R50,60,V,8,16.1,,55.1,,,,,,10.1,49.4,,no,,
MvPL,ICCV'21,3D-ResNet50,31.8,VFG,8,22.8,,80.5,,,,,,17.0,58.2,,no,,
CMPL,CVPR'22,3D-ResNet50,31.8,V,8,25.1,,79.1,,,,,,17.6,58.4,,no,,CMPL
TimeBalance,CVPR'23,3D-ResNet50,31.8,V,8,30.1,53.5,81.1,83.3,85.0,52.6,53.9,54.5,19.6,61.2,\
,yes,,own
"""

_ABLATIONS = """
table,row,condition,student_init,teachers,reweighting,ucf101_5,ucf101_20
A,a,student alone (labelled videos only),random,,no,25.60,46.20
A,b,invariant teacher only,random,f_I,no,43.94,74.85
A,c,distinctive teacher only,random,f_D,no,44.30,75.22
A,d,both teachers averaged,random,f_I + f_D,no,49.57,80.06
A,e,both teachers reweighted by similarity,random,f_I + f_D,yes,53.10,83.00
B,a,two invariant teachers,not stated,Inv1 + Inv2,not stated,48.33,78.76
B,b,two distinctive teachers,not stated,Dist1 + Dist2,not stated,49.15,80.49
B,c,one of each,not stated,Inv1 + Dist1,not stated,52.14,82.02
B,d,one of each,not stated,Inv1 + Dist2,not stated,51.78,81.43
C,a,student initialised by TCLR,TCLR,f_I + f_D,assumed,47.94,
C,b,student initialised by TempTrans,TempTrans,f_I + f_D,assumed,47.60,
C,c,student initialised by CVRL,CVRL,f_I + f_D,assumed,47.02,
C,d,student initialised by VCOP,VCOP,f_I + f_D,assumed,46.91,
C,e,student from scratch,random,f_I + f_D,assumed,46.72,
"""

_LISTS = {
    "VideoSSL": "published lists, not class-balanced, not nested",
    "CMPL": "published balanced lists (1 %: one video per class)",
    "random": "random subsets without published lists",
    "own": "own lists, not published",
    "": "label lists not stated",
}

_REMARKS = {
    "UPS": "only 20 and 50 % are given",
    "TG-FixMatch": "trains on RGB and temporal gradient; the paper appeared at CVPR 2022",
    "MvPL": "trains on RGB, optical flow and temporal gradient",
    "3DRotNet": "columns doubtful: the values may be 1/10/20/50 % instead of 1/5/10/20 %",
    "MotionFit": "its teacher uses optical flow",
    "FixMatch": "60 M is a slip of the literature; SlowFast-R50 has 34.6 M parameters",
    "ActorCM": "33.3 M is the size of R(2+1)D-18; R(2+1)D-34 has 63.5 M",
    "TimeBalance": "the released code selects the epoch on the test list",
}

NOT_COMPARABLE = (
    ("label lists", "The rows follow at least three protocols of which videos carry labels."),
    ("groups", "Clips cut from one source video are on both sides of every published label list."),
    ("frames", "Some rows see 8 frames of a clip, others 16."),
    ("network size", "13.5 M is printed for all 3D-ResNet18; the usual R3D-18 has 33.2 M."),
    (
        "outside knowledge",
        "SD, MT+SD, VideoSemi and one row each of TACL and ActorCM use ImageNet.",
    ),
    ("pretraining", "Self-supervised pretraining is part of some rows and absent from others."),
    (
        "schedule",
        "Training lasts 180 to 600 epochs, and an epoch is not the same thing everywhere.",
    ),
    ("selection", "TimeBalance's released code keeps the epoch that is best on the test list."),
)

_ABLATION_NOTES = {
    "A": "backbone not printed; row e is close to the ResNet50 row of the main table (53.5/83.3)",
    "B": "which methods Inv1, Inv2, Dist1, Dist2 are is not stated; row c is below A(e), so the "
    "setting is not identical",
    "C": "after epoch 250; fraction and backbone not printed, placed here because 47.94 equals the "
    "main table's 47.9 (ResNet18, UCF101, 5 %)",
}


def results() -> pd.DataFrame:
    """Return the paper's main table, one row per printed row.

    Returns:
        method, venue, backbone, params_M (as printed), input (V video, F flow, G gradient), frames,
        `<dataset>_<percent of labels>` top-1 in percent (NaN where not reported), variant, ssl
        (bool: self-supervised pretraining), outside (knowledge beyond the training videos), lists
        (which label lists) and notes (what stands in the way of a comparison).
    """
    table = _table(_RESULTS).assign(ssl=lambda t: t["ssl"] == "yes")
    table["notes"] = [_note(row) for row in table.itertuples()]
    return table


def ablations() -> pd.DataFrame:
    """Return the three ablations: A reweighting, B kinds of teachers, C student initialisation.

    Returns:
        table, row, condition, student_init, teachers, reweighting, ucf101_5 and ucf101_20 (top-1 in
        percent, NaN where not reported), notes (what is inferred rather than printed).
    """
    table = _table(_ABLATIONS)
    return table.assign(notes=table["table"].map(_ABLATION_NOTES))


def _table(text: str) -> pd.DataFrame:
    table = pd.read_csv(StringIO(text.strip()), keep_default_na=False, na_values={})
    numbers = [c for c in table if c == "params_M" or c.startswith(("ucf101", "hmdb51", "k400"))]
    return table.assign(**{c: pd.to_numeric(table[c]) for c in numbers})


def _note(row) -> str:
    parts = [
        _LISTS[row.lists],
        f"uses {row.outside}" if row.outside else "",
        _REMARKS.get(row.method, ""),
    ]
    return "; ".join(part for part in parts if part)
