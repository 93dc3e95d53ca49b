"""From official downloads to COCO-style files: what tools/dataset_converters runs. No torch, no mmpose."""
